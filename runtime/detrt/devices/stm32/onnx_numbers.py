"""The two ways in which the steps of a net stand in an ONNX file: in float32, or between QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from detrt.devices.stm32.arithmetic import Int64, Quant
from detrt.devices.stm32.onnx_graph import OnnxGraph
from detrt.devices.stm32.plan import PlanStep
from detrt.devices.stm32.program import Conv, Dense, Depthwise, Program, sum_quant

Layer = tuple[str, str]
"""Names of the weights and of the bias."""
SMALLEST = float(np.finfo(np.float32).tiny)


class Numbers(Protocol):
    """How values are held. Weights are [out, in / groups, rows, columns], or [out, in] with columns as the input lies."""

    def entered(self, graph: OnnxGraph, value: str, tensor: str) -> str:
        """The picture that is given as the tensor of the input."""

    def layer(self, graph: OnnxGraph, step: PlanStep) -> Layer: ...

    def settled(self, graph: OnnxGraph, value: str, tensor: str) -> str:
        """A value as the tensor of this name, which the graph then knows it by."""


class Floats:
    """float32, from layers given as weight and bias by the output of their step."""

    def __init__(self, layers: dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]) -> None:
        self._layers = layers

    def entered(self, graph: OnnxGraph, value: str, tensor: str) -> str:
        return value

    def layer(self, graph: OnnxGraph, step: PlanStep) -> Layer:
        weight, bias = self._layers[step.output]
        return graph.constant("weight", weight, np.float32), graph.constant("bias", bias, np.float32)

    def settled(self, graph: OnnxGraph, value: str, tensor: str) -> str:
        return graph.rename(value, tensor)


class Int8:
    """The numbers of a program: int8 weights with a scale a channel, int32 biases, every tensor quantised on its way."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._steps = {step.output: step for step in program.steps}
        self._quants = {name: tensor.quant for name, tensor in program.tensors.items()}
        self._quants |= {f"{step.output}.before": self._sum(step.output) for step in program.steps}

    def entered(self, graph: OnnxGraph, value: str, tensor: str) -> str:
        return self.settled(graph, value, tensor)

    def _sum(self, output: str) -> Quant:
        return sum_quant(self._steps[output], self._program.tensors[output].quant)

    def layer(self, graph: OnnxGraph, step: PlanStep) -> Layer:
        whole = self._steps[step.output]
        assert isinstance(whole, Conv | Depthwise | Dense)
        one_in, one_out = self._quants[whole.inputs[0]].scale, self._sum(step.output).scale
        scales = weight_scales(whole, one_in, one_out)
        weight = self._dequantised(graph, "weight", _channels_first(whole, step), scales)
        return weight, self._dequantised(graph, "bias", whole.bias, np.maximum(scales * one_in, SMALLEST))

    def _dequantised(
        self, graph: OnnxGraph, name: str, values: npt.NDArray[Any], scales: npt.NDArray[np.float64]
    ) -> str:
        zeros = np.zeros(len(scales), values.dtype)
        kind = values.dtype.type
        given = [
            graph.constant(f"{name}/int", values, kind),
            graph.constant(f"{name}/scale", scales, np.float32),
            graph.constant(f"{name}/zero", zeros, kind),
        ]
        return graph.node("DequantizeLinear", given, f"{graph.scope}/{name}", axis=0)

    def settled(self, graph: OnnxGraph, value: str, tensor: str) -> str:
        quant = self._quants[tensor]
        scale = graph.constant(f"{tensor}/scale", quant.scale, np.float32)
        zero = graph.constant(f"{tensor}/zero", quant.zero, np.int8)
        whole = graph.node("QuantizeLinear", [value, scale, zero], f"{tensor}/int")
        return graph.node("DequantizeLinear", [whole, scale, zero], tensor)


def weight_scales(step: Conv | Depthwise | Dense, one_in: float, one_out: float) -> npt.NDArray[np.float64]:
    """What one step of each channel's weights stands for, float64 [out]: its factor from sums to output, times the scale of the
    output over that of the input.
    """
    factors = step.rescale
    exponents: Int64 = factors.left.astype(np.int64) - 32 - factors.right
    real = np.ldexp(factors.multiplier.astype(np.float64), exponents) * one_out / one_in
    return np.maximum(np.broadcast_to(real, (len(step.bias),)), SMALLEST)


def _channels_first(step: Conv | Depthwise | Dense, planned: PlanStep) -> npt.NDArray[Any]:
    """Weights in ONNX's order; of a linear layer behind a flattened map with its columns in the order of the spec."""
    if isinstance(step, Conv):
        return step.weight.transpose(0, 3, 1, 2)
    if isinstance(step, Depthwise):
        return step.weight.transpose(2, 0, 1)[:, None]
    if planned.reorder is None:
        return step.weight
    channels, height, width = planned.reorder
    return step.weight.reshape(-1, height, width, channels).transpose(0, 3, 1, 2).reshape(len(step.weight), -1)

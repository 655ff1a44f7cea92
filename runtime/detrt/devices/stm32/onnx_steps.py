"""The steps of a plan as ONNX operators on [1, channels, height, width]; what numbers they compute in is for `onnx_numbers`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from detrt.devices.stm32.onnx_graph import OnnxGraph
from detrt.devices.stm32.onnx_numbers import Numbers
from detrt.devices.stm32.plan import Activation, Plan, PlanStep

LAST = (0, 2, 3, 1)
"""Axes that lay a map out as it lies in memory, [1, height, width, channels]."""
FIRST = (0, 3, 1, 2)
MAP_AXES = {0: 2, 1: 3, 2: 1}
"""An axis of [height, width, channels] in [1, channels, height, width]."""


class Walk:
    """Adds the steps of `plan` to `graph`, in the numbers given; `value` names what stands for a tensor."""

    def __init__(self, plan: Plan, graph: OnnxGraph, numbers: Numbers) -> None:
        self.plan, self.graph, self.numbers = plan, graph, numbers
        self._values: dict[str, str] = {}

    def run(self, start: str) -> None:
        """All steps, from the value that stands for the input."""
        self._values[self.plan.input] = start
        for step in self.plan.steps:
            self.graph.scope = step.output
            value = KERNELS[step.kernel](self, step)
            if step.tabled:
                value = self.numbers.settled(self.graph, value, step.before)
            if step.activation is not None:
                value = activated(self.graph, value, step.activation)
            elif step.kernel == "table":  # without a function: nothing but another Quant
                value = self.graph.node("Identity", [value])
            self._values[step.output] = self.numbers.settled(self.graph, value, step.output)

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Of a tensor as it stands in the file."""
        shape = self.plan.tensors[tensor].shape
        return (1, shape[2], shape[0], shape[1]) if len(shape) == 3 else (1, *shape)

    def value(self, tensor: str) -> str:
        """What stands for a tensor; an alias is read from memory order into its own shape."""
        if tensor not in self._values:
            source = self.plan.aliases[tensor]
            self._values[tensor] = self.view(self.value(source), len(self.plan.tensors[source].shape), tensor)
        return self._values[tensor]

    def view(self, value: str, rank: int, tensor: str) -> str:
        """The numbers of a map (`rank` 3) or vector, in memory order, in the shape of `tensor`."""
        if rank == 3:
            value = self.graph.node("Transpose", [value], perm=LAST)
        shape = self.plan.tensors[tensor].shape
        value = self.reshaped(value, (1, *shape))
        return self.graph.node("Transpose", [value], perm=FIRST) if len(shape) == 3 else value

    def reshaped(self, value: str, shape: Sequence[int]) -> str:
        return self.graph.node("Reshape", [value, self.graph.constant("shape", shape, np.int64)])

    def inputs(self, step: PlanStep) -> list[str]:
        return [self.value(name) for name in step.inputs]


def activated(graph: OnnxGraph, x: str, activation: Activation) -> str:
    """An activation, as detrt.devices.stm32.functions defines it."""
    first = activation.values[0] if activation.values else None
    match activation.name:
        case "relu":
            if first is None:
                return graph.node("Relu", [x])
            low, high = graph.constant("low", 0, np.float32), graph.constant("high", first, np.float32)
            return graph.node("Clip", [x, low, high])
        case "leaky":
            return graph.node("LeakyRelu", [x], alpha=0.1 if first is None else first)
        case "silu":
            return graph.node("Mul", [x, graph.node("Sigmoid", [x])])
        case "hsigmoid":
            return graph.node("HardSigmoid", [x], alpha=1 / 6, beta=0.5)
        case "hswish":
            return graph.node("HardSwish", [x])
        case "sigmoid":
            return graph.node("Sigmoid", [x])
        case "tanh":
            return graph.node("Tanh", [x])
        case "gelu":  # an operator of its own only from opset 20 on
            inner = graph.node("Mul", [x, graph.constant("root", math.sqrt(0.5), np.float32)])
            share = graph.node("Add", [graph.node("Erf", [inner]), graph.constant("one", 1, np.float32)])
            half = graph.node("Mul", [x, graph.constant("half", 0.5, np.float32)])
            return graph.node("Mul", [half, share])
    return graph.node("Identity", [x])


def _conv(walk: Walk, step: PlanStep) -> str:
    groups = walk.plan.tensors[step.inputs[0]].shape[2] if step.kernel == "depthwise" else step.groups
    return walk.graph.node(
        "Conv", [*walk.inputs(step), *walk.numbers.layer(walk.graph, step)],
        kernel_shape=step.k, strides=step.stride, pads=step.pad, dilations=step.dilation, group=groups,
    )  # fmt: skip


def _dense(walk: Walk, step: PlanStep) -> str:
    read = step.inputs[0]
    if step.reorder is not None:  # the columns are those of the spec: flatten as torch does
        x = walk.graph.node("Flatten", [walk.value(walk.plan.source(read))])
    elif len(walk.plan.tensors[read].shape) == 3:
        transposed = walk.graph.node("Transpose", [walk.value(read)], perm=LAST)
        x = walk.graph.node("Flatten", [transposed])
    else:
        x = walk.value(read)
    return walk.graph.node("Gemm", [x, *walk.numbers.layer(walk.graph, step)], transB=1)


def _max_pool(walk: Walk, step: PlanStep) -> str:
    return walk.graph.node("MaxPool", walk.inputs(step), kernel_shape=step.k, strides=step.stride, pads=step.pad)


def _average_pool(walk: Walk, step: PlanStep) -> str:
    if step.k == walk.plan.tensors[step.inputs[0]].shape[:2] and not any(step.pad):
        return walk.graph.node("GlobalAveragePool", walk.inputs(step))
    return walk.graph.node(
        "AveragePool", walk.inputs(step),
        kernel_shape=step.k, strides=step.stride, pads=step.pad, count_include_pad=1,
    )  # fmt: skip


def _add(walk: Walk, step: PlanStep) -> str:
    return walk.graph.node("Add", walk.inputs(step))


def _mul(walk: Walk, step: PlanStep) -> str:
    return walk.graph.node("Mul", walk.inputs(step))


def _concat(walk: Walk, step: PlanStep) -> str:
    return walk.graph.node("Concat", walk.inputs(step), axis=1)


def _table(walk: Walk, step: PlanStep) -> str:
    return walk.value(step.inputs[0])


def _resize(walk: Walk, step: PlanStep) -> str:
    scales = walk.graph.constant("scales", [1, 1, *step.factor], np.float32)
    if step.bilinear:
        how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    else:
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return walk.graph.node("Resize", [*walk.inputs(step), "", scales], **how)


def _channels(walk: Walk, step: PlanStep) -> str:
    end = step.first + (step.count - 1) * step.every + 1
    return _sliced(walk, walk.value(step.inputs[0]), [1], [step.first], [end], [step.every])


def _sliced(walk: Walk, x: str, axes: list[int], starts: list[int], ends: list[int], steps: list[int]) -> str:
    named = (("starts", starts), ("ends", ends), ("axes", axes), ("steps", steps))
    return walk.graph.node("Slice", [x, *(walk.graph.constant(name, values, np.int64) for name, values in named)])


def _shuffle(walk: Walk, step: PlanStep) -> str:
    shape = walk.shape(step.inputs[0])
    rest = shape[2:]
    dealt = walk.reshaped(walk.value(step.inputs[0]), (1, step.groups, shape[1] // step.groups, *rest))
    swapped = walk.graph.node("Transpose", [dealt], perm=(0, 2, 1, *range(3, 3 + len(rest))))
    return walk.reshaped(swapped, shape)


def _space_to_depth(walk: Walk, step: PlanStep) -> str:
    """A slice a pixel, as nets with a focus layer write it."""
    x, (height, width) = walk.value(step.inputs[0]), walk.shape(step.inputs[0])[2:]
    parts = [_sliced(walk, x, [2, 3], [row, column], [height, width], [step.block] * 2) for row, column in step.order]
    return walk.graph.node("Concat", parts, axis=1)


def _pad(walk: Walk, step: PlanStep) -> str:
    top, left, bottom, right = step.pad
    sides = walk.graph.constant("pads", [0, 0, top, left, 0, 0, bottom, right], np.int64)
    return walk.graph.node("Pad", [*walk.inputs(step), sides], mode="constant")


def _reorder(walk: Walk, step: PlanStep) -> str:
    """The axes of a map in another order, read into the shape of the output."""
    x, shape = walk.value(step.inputs[0]), walk.plan.tensors[step.output].shape
    rank = len(walk.plan.tensors[step.inputs[0]].shape)
    if rank == 3:
        order = (0, *(MAP_AXES[axis] for axis in step.axes))
        if order != (0, 1, 2, 3):
            x = walk.graph.node("Transpose", [x], perm=order)
    x = walk.reshaped(x, (1, *shape))
    return walk.graph.node("Transpose", [x], perm=FIRST) if len(shape) == 3 else x


KERNELS: dict[str, Callable[[Walk, PlanStep], str]] = {
    "conv": _conv,
    "depthwise": _conv,
    "dense": _dense,
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "add": _add,
    "mul": _mul,
    "concat": _concat,
    "table": _table,
    "resize": _resize,
    "channels": _channels,
    "shuffle": _shuffle,
    "space_to_depth": _space_to_depth,
    "pad": _pad,
    "reorder": _reorder,
}

"""A network of which one step alone is rounded to int8 and all others are float: what that step costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from detrt.devices.stm32.arithmetic import HIGH, LOW, Quant
from detrt.devices.stm32.entry import entry_of
from detrt.devices.stm32.floating import FloatArithmetic, activated, channelwise, weighted_sums
from detrt.devices.stm32.folding import layer_numbers, memory_order, nearest, on_grid
from detrt.devices.stm32.plan import MOVING, WEIGHTED, Plan, PlanStep, read_plan
from detrt.devices.stm32.quants import ranges_of, tensor_quants
from detrt.devices.stm32.running import See, run_plan, structured

Net = Callable[[Tensor], Any]
"""From an encoded batch to outputs in the generated model's form."""


def one_by_one(
    model: nn.Module, lock: Mapping[str, Any], caps: Mapping[str, float]
) -> Iterator[tuple[dict[str, str], Net]]:
    """The float net first, under the name "", then for each step that rounds a net in which it alone is int8.

    Each with its {"name", "kernel", "where"}. Steps that only move numbers round nothing. DetrtError without a plan or ranges.
    """
    plan = read_plan(lock)
    quants = tensor_quants(plan, ranges_of(caps), entry_of(lock["model"]["input"]).quant)
    yield {"name": "", "kernel": "", "where": ""}, _Net(plan, FloatArithmetic(model))
    for step in plan.steps:
        if step.kernel not in MOVING or _requantises(plan, step):
            about = {"name": step.name, "kernel": step.kernel, "where": step.where}
            yield about, _Net(plan, OneRounded(model, quants, step.name))


def _requantises(plan: Plan, step: PlanStep) -> bool:
    """True for a concat whose inputs have Quants of their own."""
    return any(plan.tensors[name].quant != plan.tensors[step.output].quant for name in step.inputs)


class _Net:
    def __init__(self, plan: Plan, arithmetic: FloatArithmetic) -> None:
        self.plan, self.arithmetic = plan, arithmetic

    @torch.no_grad()
    def __call__(self, frame: Tensor) -> Any:
        return structured(self.plan, run_plan(self.plan, self.arithmetic, frame))


class OneRounded(FloatArithmetic):
    """Real numbers; those of the step `chosen` are ones that int8 numbers stand for, its weights and bias on their grid."""

    def __init__(self, model: nn.Module, quants: Mapping[str, Quant], chosen: str) -> None:
        super().__init__(model)
        self.quants, self.chosen = quants, chosen

    def computed(self, step: PlanStep, inputs: Sequence[Tensor], see: See | None) -> Tensor:
        if step.name != self.chosen:
            return super().computed(step, inputs, see)
        result = self._weighted(step, inputs[0]) if step.kernel in WEIGHTED else self._sum(step, inputs)
        if step.tabled:
            result = rounded(result, self.quants[step.before])
        if step.activation is not None:
            result = activated(step.activation, result)
        return rounded(result, self.quants[step.output])

    def _weighted(self, step: PlanStep, x: Tensor) -> Tensor:
        weight, bias = layer_numbers(step, self.state)
        scale = self.quants[step.inputs[0]].scale
        grid = on_grid(weight, bias, scale)
        real = grid.whole_weight * grid.scales.view(-1, *[1] * (weight.dim() - 1))
        sums = weighted_sums(step, x, memory_order(real, step).to(x.dtype))
        return sums + channelwise((grid.whole_bias * grid.scales * scale).to(x.dtype), sums)


def rounded(values: Tensor, quant: Quant) -> Tensor:
    """Real numbers as the nearest ones that int8 numbers stand for."""
    return (nearest(values / quant.scale).clamp(LOW - quant.zero, HIGH - quant.zero)) * quant.scale

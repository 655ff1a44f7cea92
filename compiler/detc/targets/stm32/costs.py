"""What a net costs on an STM32 in the code of ST's tool: memory, flash, time, and the findings about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from detc.diagnostics import Finding
from detc.report.figures import size
from detc.semantics.program import Model, Target
from detc.targets.stm32.estimates import Estimate, code_flash, latency, layer_count, runtime_ram
from detc.targets.stm32.memory_checks import Peak, check_flash, check_st, check_tool, usable
from detc.targets.stm32.npu import NpuPlan, check_npu, naive_peak, npu_latency, npu_of, npu_plan
from detc.targets.stm32.ram_st import StRam, estimate
from detc.targets.stm32.st_foreign import of_foreign
from detc.targets.stm32.st_ops import StModel
from detc.targets.stm32.st_rules import StRules, tool_facts, tool_of
from detc.targets.stm32.weights import weight_bytes
from detc.targets.stm32.what_if import smaller_picture


@dataclass(frozen=True, slots=True)
class StCosts:
    """Everything that is known of a net in the code of ST's tool. `npu` where the target has a neural processor, which then
    runs the net: `ram` is what its core would need without it."""

    model: StModel
    ram: StRam
    rules: StRules
    weights: int
    runtime: Estimate
    code: Estimate
    latency: Estimate | None
    npu: NpuPlan | None

    @property
    def bytes(self) -> int:
        """RAM for activations: the estimate, or on a neural processor what to plan with."""
        return self.npu.planned if self.npu else self.ram.bytes

    @property
    def peak(self) -> Peak:
        """The fullest operator."""
        op = self.npu.peak if self.npu else self.ram.peak.op if self.ram.peak else None
        if op is None:
            return Peak("", None, (), ())
        alive = self.ram.peak.alive if self.ram.peak and not self.npu else ()
        names = (*op.inputs, *op.outputs, *(tensor.name for tensor in alive))
        sizes = [(name, self.model.tensors[name].bytes) for name in dict.fromkeys(names)]
        if self.ram.peak and not self.npu and self.ram.peak.scratch:
            sizes.append(("scratch", self.ram.peak.scratch))
        return Peak(op.name, op.span, op.via, tuple(sizes))


def costs_of(model: StModel, target: Target, rules: StRules) -> StCosts:
    """The costs of a net on a target."""
    layers, weights = layer_count(model), weight_bytes(model, rules)
    npu = npu_of(target)
    plan = npu_plan(model, target, npu) if npu else None
    time = npu_latency(model, weights, plan, npu) if npu and plan else latency(model, target)
    ram = estimate(model, rules)
    return StCosts(model, ram, rules, weights, runtime_ram(layers, rules), code_flash(layers, rules), time, plan)


def foreign_model(model: Model) -> StModel | None:
    """The operators of the TFLite file that the model was read from; None for every other model."""
    foreign = getattr(model, "foreign", None)
    return of_foreign(foreign) if foreign is not None and foreign.format == "tflite" else None


def check_costs(costs: StCosts, target: Target) -> Iterator[Finding]:
    """Every finding on the code of ST's tool."""
    tool = tool_of(target)
    facts = tool_facts(target)
    yield from check_tool(tool, bool(facts["margin"].placeholder))
    npu = npu_of(target)
    if costs.npu and npu:
        yield from check_npu(costs.peak, costs.npu, target, npu, npu_remedy(costs, costs.npu))
    else:
        yield from check_st(costs.peak, costs.bytes, costs.rules.margin, tool, target, st_remedy(costs, target))
    yield from check_flash(costs.weights, round(costs.code.value), target, own=False)


def st_remedy(costs: StCosts, target: Target) -> str:
    """The change that lets ST's tool fit, with its number."""
    room = max((pool.room for pool in usable(target)), default=0)
    if costs.bytes <= room:
        return ""
    smaller = smaller_picture(costs.model, room, lambda model: estimate(model, costs.rules).bytes)
    if smaller is None:
        return "no smaller picture fits: narrow the layers around that step"
    return f"on a picture of {smaller.side} pixels it needs ~{size(smaller.bytes)}"


def npu_remedy(costs: StCosts, plan: NpuPlan) -> str:
    """The largest picture whose activations stay inside the chip."""
    times = plan.planned / max(plan.low, 1)
    smaller = smaller_picture(costs.model, plan.room, lambda model: round(naive_peak(model)[0] * times))
    if smaller is None:
        return "no smaller picture stays inside: narrow the layers around that step"
    return f"on a picture of {smaller.side} pixels ~{size(smaller.bytes)} are to be planned, all inside"

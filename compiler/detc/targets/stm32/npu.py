"""Nets on the neural processor of an N6: what its compiler will take of the memories that the processor reaches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from detc.diagnostics import Finding, Rule
from detc.report.figures import size
from detc.semantics.program import Section, Target
from detc.targets.stm32.estimates import Estimate, macs_of
from detc.targets.stm32.facts import Pool, memories, number
from detc.targets.stm32.memory_checks import Peak
from detc.targets.stm32.st_ops import StModel, StOp, prepare

NPU_SPILL = Rule(
    "STM120",
    "warning",
    """~{actual} of RAM are to be planned for the net on the neural processor, whose memories inside {target} leave {allowed}:
    ~{outside} would lie outside the chip, and a picture take about {cost} times as long

    The fullest operator, `{name}`, needs {low} at least ({alive}). The compiler of the neural processor spreads tensors over the
    pools for speed; the published nets lie at 0.5 to 2.3 times what the fullest operator reads and writes, so that a plan counts
    twice. Only ST's own compiler can tell the exact figure.""",
    help="{remedy}",
)
NPU_RAM = Rule(
    "STM121",
    "error",
    """the fullest operator of the net, `{name}`, needs {actual} on the neural processor, and the memories that this reaches on
    {target} leave {allowed}

    It holds {alive}.""",
    help="{remedy}",
)


@dataclass(frozen=True, slots=True)
class NpuPlan:
    """Bytes. `low` is the fullest operator's inputs, output and what waits beside them, none sharing bytes: no plan was seen
    below. `planned` is what to reckon with, wrong by the share `error`; of it `inside` lie in internal pools and `outside` in
    external ones.
    """

    low: int
    planned: int
    error: float
    room: int
    peak: StOp | None
    pools: tuple[Pool, ...]
    outer: tuple[Pool, ...]

    @property
    def inside(self) -> int:
        return min(self.planned, self.room)

    @property
    def outside(self) -> int:
        return max(self.planned - self.room, 0)

    @property
    def outer_room(self) -> int:
        return sum(pool.room for pool in self.outer)


def npu_of(target: Target) -> Section | None:
    """The target's `npu { .. }`."""
    return target.root.find("npu")


def npu_plan(model: StModel, target: Target, npu: Section) -> NpuPlan:
    """The memory of a net on the neural processor."""
    low, peak = naive_peak(model)
    pools = tuple(pool for pool in memories(target) if pool.npu)
    inner = tuple(pool for pool in pools if not pool.external)
    outer = tuple(pool for pool in pools if pool.external)
    planned = round(low * number(npu, "planning"))
    return NpuPlan(low, planned, number(npu, "planning_error"), sum(pool.room for pool in inner), peak, inner, outer)


def naive_peak(model: StModel) -> tuple[int, StOp | None]:
    """(bytes, operator) of the fullest operator if no two tensors share bytes: all that lives while it runs."""
    ready = prepare(model).model
    last = {name: step for step, op in enumerate(ready.ops) for name in (*op.outputs, *op.inputs)}
    last.update(dict.fromkeys(ready.outputs, len(ready.ops)))
    live = dict.fromkeys(name for name in ready.inputs if name in last)
    best: tuple[int, StOp | None] = (0, None)
    for step, op in enumerate(ready.ops):
        live.update(dict.fromkeys(op.outputs))
        bytes = sum(ready.tensors[name].bytes for name in live)
        if bytes > best[0]:
            best = (bytes, op)
        live = {name: None for name in live if last[name] > step}
    return best


def npu_latency(model: StModel, weights: int, plan: NpuPlan, npu: Section) -> Estimate:
    """Seconds of a picture: reading the weights, moving activations, multiplying; more where activations lie outside."""
    ready = prepare(model).model
    moved = sum(ready.tensors[name].bytes for op in ready.ops for name in (*op.inputs, *op.outputs))
    macs = sum(macs_of(op, ready) for op in ready.ops)
    work = ((weights, "weights"), (moved, "activations"), (macs, "multiplications"))
    seconds = sum(amount / speed for amount, name in work if (speed := number(npu, name)))
    return Estimate(seconds * (number(npu, "spill_cost") if plan.outside else 1), number(npu, "error"))


def check_npu(peak: Peak, plan: NpuPlan, target: Target, npu: Section, remedy: str) -> Iterator[Finding]:
    """Whether the net stays in the pools that the neural processor reaches inside the chip, or in all that it reaches."""
    facts: dict[str, Any] = {"name": peak.name, "target": target.name, "alive": peak.words(), "remedy": remedy}
    pools = plan.pools or plan.outer
    if not pools or plan.low > plan.room + plan.outer_room:
        related = peak.related(pools[0]) if pools else ()
        allowed = size(plan.room + plan.outer_room)
        yield NPU_RAM(
            peak.span, label="the fullest operator", related=related, actual=size(plan.low), allowed=allowed, **facts
        )
    elif plan.outside:
        yield NPU_SPILL(
            peak.span,
            label="the fullest operator",
            related=peak.related(pools[0]),
            actual=size(plan.planned),
            allowed=size(plan.room),
            outside=size(plan.outside),
            low=size(plan.low),
            cost=f"{number(npu, 'spill_cost'):g}",
            **facts,
        )

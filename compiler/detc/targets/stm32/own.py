"""What a net costs in detc's own C code: the arena, the boxes behind it, and the findings about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isqrt

from detc.diagnostics import Finding, Span
from detc.report.figures import size
from detc.semantics.program import Model, Target
from detc.targets.stm32.arena import Arena, plan_arena
from detc.targets.stm32.memory_checks import Peak, check_own, check_spill, usable
from detc.targets.stm32.pools import Room
from detc.targets.stm32.postprocess_buffers import buffer_bytes
from detc.targets.stm32.steps import Steps
from detc.targets.stm32.timeline import timeline_of
from detc.targets.stm32.what_if import FEWEST, STEP, scaled_side

TRIED = 2
"""Pictures that are planned anew for a remedy."""


@dataclass(frozen=True, slots=True)
class OwnCosts:
    """A planned net: its steps, its arena, `boxes`, the bytes in which the post-processing keeps candidates, and where the
    `picture` that enters is declared."""

    steps: Steps
    arena: Arena
    boxes: int
    picture: Span | None = None

    @property
    def bytes(self) -> int:
        return self.arena.bytes

    @property
    def peak(self) -> Peak:
        """The fullest slot of the schedule."""
        if not self.arena.slots:
            return Peak("", None, (), ())
        step = self.arena.slots[self.arena.peak].steps[-1]
        alive = timeline_of(self.arena).alive(self.arena.peak)
        said = {"map": "", "rows": " (rows)", "scratch": " (scratch)"}
        return Peak(step.name, step.span, step.via, tuple((p.name + said[p.kind], p.bytes) for p in alive))

    @property
    def largest(self) -> Peak:
        """The largest tensor and the step that writes it."""
        tenant = max(self.arena.house.tenants, key=lambda tenant: tenant.bytes, default=None)
        if tenant is None:
            return Peak("", None, (), ())
        step = next((step for step in self.steps.steps if step.output == tenant.name), None)
        span, via = (step.span, step.via) if step else (self.picture, ())
        return Peak(tenant.name, span, via, ((tenant.name, tenant.bytes),))


def boxes_of(model: Model, steps: Steps) -> int:
    """Bytes of the buffers of all heads of the model."""
    total = 0
    for head in model.heads:
        shapes = [[steps.tensors[name] for name in steps.outputs.get(output, ())] for output in head.on]
        total += buffer_bytes(head.kind, head.options, shapes)
    return total


def check_own_costs(costs: OwnCosts, target: Target) -> Iterator[Finding]:
    """Every finding on detc's own code."""
    remedy = remedy_of(costs, target)
    yield from check_own(costs.peak, costs.bytes, costs.arena.fits, costs.largest, costs.boxes, target, remedy)
    if costs.arena.fits:
        yield from check_spill(costs.peak, costs.bytes + costs.boxes, usable(target), target, remedy)


def remedy_of(costs: OwnCosts, target: Target) -> str:
    """The largest smaller picture on which the net would fit inside, planned anew, and what it would need."""
    pools = [pool for pool in usable(target) if not pool.external]
    rooms = [Room(pool.name, pool.address, pool.room) for pool in pools]
    shape = costs.steps.tensors.get(costs.steps.input, ())
    room = sum(pool.room for pool in pools)
    needed = costs.bytes + costs.boxes
    if len(shape) != 3 or (costs.arena.fits and needed <= room):
        return ""
    side = max(shape[:2])
    first = min(isqrt(side * side * room // max(needed, 1)), side - 1) // STEP
    for steps in range(first, max(FEWEST, first - TRIED) - 1, -1):
        smaller = plan_arena(_scaled(costs.steps, steps * STEP / side), rooms)
        if smaller.fits and smaller.bytes + costs.boxes <= room:
            return f"on a picture of {steps * STEP} pixels it needs ~{size(smaller.bytes)} and fits"
    return "no picture a little smaller fits: narrow the layers around that step"


def _scaled(steps: Steps, factor: float) -> Steps:
    """The steps on a picture whose sides are `factor` times as long."""
    tensors = {
        name: (scaled_side(shape[0], factor), scaled_side(shape[1], factor), shape[2]) if len(shape) == 3 else shape
        for name, shape in steps.tensors.items()
    }
    return replace(steps, tensors=tensors)

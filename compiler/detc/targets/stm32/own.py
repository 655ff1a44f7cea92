"""What a net costs in detc's own C code: the arena, the boxes behind it, and the findings about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt

from detc.diagnostics import Finding, Span
from detc.report.figures import size
from detc.semantics.program import Model, Target
from detc.targets.stm32.arena import Arena
from detc.targets.stm32.memory_checks import Peak, check_flash, check_own, check_spill, usable
from detc.targets.stm32.own_flash import OwnFlash
from detc.targets.stm32.postprocess_buffers import buffer_bytes
from detc.targets.stm32.steps import Steps
from detc.targets.stm32.timeline import timeline_of
from detc.targets.stm32.what_if import FEWEST, STEP

RESERVE = 1.1
"""A remedy reckons with so many times what the area of a picture says."""


@dataclass(frozen=True, slots=True)
class OwnCosts:
    """A planned net: its steps, its arena, its flash, `boxes`, the bytes in which the post-processing keeps candidates, and where
    the `picture` that enters is declared."""

    steps: Steps
    arena: Arena
    flash: OwnFlash
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
    yield from check_flash(costs.flash.constants, round(costs.flash.code.value), target, own=True)


def remedy_of(costs: OwnCosts, target: Target) -> str:
    """A smaller picture on which the net would fit inside. Activations grow with its area, a little of the rest does not."""
    rooms = [pool.room for pool in usable(target) if not pool.external]
    room = max(rooms, default=0)  # where several memories hold a net together, this one alone would too
    room -= max(costs.boxes - (sum(rooms) - room), 0)
    shape = costs.steps.tensors.get(costs.steps.input, ())
    needed = costs.bytes + costs.boxes
    if len(shape) != 3 or (costs.arena.fits and needed <= sum(rooms)):
        return ""
    side = max(shape[:2])
    area = side * side * max(room, 0) // max(round(costs.bytes * RESERVE), 1)
    smaller = min(isqrt(area), side - 1) // STEP * STEP
    if smaller < FEWEST * STEP:
        return "no picture a little smaller fits: narrow the layers around that step"
    return f"on a picture of {smaller} pixels it needs ~{size(costs.bytes * smaller**2 / side**2)}"

"""What lives in the arena, from when to when, and which two tenants may share bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from detc.targets.stm32.scratch import ALIGNMENT
from detc.targets.stm32.slots import Slot
from detc.targets.stm32.steps import Steps

SCRATCH = ":scratch"
"""Ends the names of tenants that are no tensors: the scratch of the slot whose output comes before it."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """`bytes` of memory from slot `first` to slot `last`, both included: a tensor, rows of one, or scratch.

    The net's input is there before slot 0 (first = -1), its outputs when all slots have run (last = number of slots).
    """

    name: str
    bytes: int
    first: int
    last: int


@dataclass(slots=True)
class House:
    """All tenants. `near[a][b] = (low, high)`: with a at byte 0, b must not begin strictly between low and high.

    Pairs that never meet are left out. `overlaps` maps (output, input) to the bytes by which the output begins below the input.
    """

    tenants: list[Tenant] = field(default_factory=list)
    near: list[dict[int, tuple[int, int]]] = field(default_factory=list)
    overlaps: dict[tuple[int, int], int] = field(default_factory=dict)
    slots: int = 0

    def live(self, slot: int) -> list[int]:
        """The tenants that are there while a slot runs."""
        return [i for i, t in enumerate(self.tenants) if t.first <= slot <= t.last]

    def needs(self) -> list[int]:
        """Bytes that each slot cannot do without: all that is live, less what its output may share with one of its inputs."""
        needs = [0] * self.slots
        for tenant in self.tenants:
            for slot in range(max(tenant.first, 0), min(tenant.last + 1, self.slots)):
                needs[slot] += tenant.bytes
        saved = [0] * self.slots
        for (out, source), apart in self.overlaps.items():
            above, below = self.tenants[source].bytes, self.tenants[out].bytes
            slot = self.tenants[out].first
            saved[slot] = max(saved[slot], above + below - min(max(apart + above, below), above + below))
        return [need - less for need, less in zip(needs, saved, strict=True)]


def house_of(steps: Steps, slots: Sequence[Slot]) -> House:
    """The tenants of a schedule. Sizes are rounded up to ALIGNMENT, so that all offsets are multiples of it."""
    lives: dict[str, list[int]] = {steps.input: [-1, -1]}
    for number, slot in enumerate(slots):
        for name in slot.reads:
            lives[name][1] = number
        lives[slot.output] = [number, number]
    for name in steps.kept:
        lives[name][1] = len(slots)
    tenants = [Tenant(name, rounded(steps.bytes(name)), first, last) for name, (first, last) in lives.items()]
    for number, slot in enumerate(slots):
        tenants += [Tenant(name, rounded(size), number, number) for name, size in slot.windows]
        if slot.scratch:
            tenants.append(Tenant(slot.output + SCRATCH, rounded(slot.scratch), number, number))
    index = {tenant.name: i for i, tenant in enumerate(tenants)}
    house = House(tenants, slots=len(slots))
    for number, slot in enumerate(slots):
        for name, apart in slot.distances:
            if lives[name][1] == number:
                house.overlaps[index[slot.output], index[name]] = rounded(apart)
    _meet(house)
    return house


def _meet(house: House) -> None:
    """Fills `near`: who meets whom, and how far apart they must begin."""
    tenants = house.tenants
    house.near = [{} for _ in tenants]
    active: list[int] = []
    for b in sorted(range(len(tenants)), key=lambda i: (tenants[i].first, i)):
        active = [a for a in active if tenants[a].last >= tenants[b].first]
        for a in active:
            low, high = -tenants[b].bytes, tenants[a].bytes
            if (a, b) in house.overlaps:  # a is the output, b its input
                high = min(high, house.overlaps[a, b])
            if (b, a) in house.overlaps:
                low = max(low, -house.overlaps[b, a])
            house.near[a][b], house.near[b][a] = (low, high), (-high, -low)
        active.append(b)


def rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT

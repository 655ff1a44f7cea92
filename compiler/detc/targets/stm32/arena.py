"""The arena: where every tensor of a net lies, by the best of several planners, in one memory or in several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detc.targets.stm32.exact import best_place
from detc.targets.stm32.planners import PLANNERS, Offsets, improved, place
from detc.targets.stm32.pools import Places, Room, spread
from detc.targets.stm32.slots import Slot, slot_of
from detc.targets.stm32.steps import Steps
from detc.targets.stm32.tenants import House, house_of

NEAR_ENOUGH = 500
"""A plan that is larger than its lower bound by less than 1 / NEAR_ENOUGH is not improved."""

TRIES, OPTIMIZED_TRIES = 200, 20_000
"""Changes of the best order that are tried in a check, and with `--optimize`."""


@dataclass(frozen=True, slots=True)
class Arena:
    """`places` are (number of the room, offset) by tenant of `house`; `fits` is False where the rooms do not hold them.

    `bound` are the bytes that no plan of this schedule can go below: those of its fullest slot, `peak`. `planner` says whose plan
    it is.
    """

    slots: tuple[Slot, ...]
    house: House
    rooms: tuple[Room, ...]
    places: Places
    fits: bool
    bound: int
    peak: int
    planner: str

    @property
    def used(self) -> tuple[int, ...]:
        """Bytes taken of each room."""
        ends = [0] * len(self.rooms)
        for tenant, (room, offset) in zip(self.house.tenants, self.places, strict=True):
            ends[room] = max(ends[room], offset + tenant.bytes)
        return tuple(ends)

    @property
    def bytes(self) -> int:
        """Bytes taken of all rooms."""
        return sum(self.used)


def plan_arena(steps: Steps, rooms: Sequence[Room], optimize: bool = False) -> Arena:
    """The arena of a net in the memories that it may use, the best first. Without any, as in one that has no end."""
    slots = tuple(slot_of(steps, step) for step in steps.steps)
    house = house_of(steps, slots)
    needs = house.needs()
    bound = max(needs, default=0)
    planner, size, offsets = best_plan(house, bound, OPTIMIZED_TRIES if optimize else TRIES)
    whole = tuple(rooms) or (Room("ram", 0, size),)
    places: Places = [(0, offset) for offset in offsets]
    fits = size <= whole[0].bytes
    if not fits and len(whole) > 1 and (spreading := spread(house, whole)) is not None:
        places, fits, planner = spreading, True, "across memories"
    peak = max(range(len(needs)), key=lambda slot: needs[slot], default=0)
    return Arena(slots, house, whole, places, fits, bound, peak, planner)


def best_plan(house: House, bound: int, tries: int) -> tuple[str, int, Offsets]:
    """(planner, bytes, offsets): the smallest of all planners' plans, improved until nothing is gained or `bound` is met."""
    orders = {name: planner(house) for name, planner in PLANNERS.items()}
    plans = {name: place(house, order) for name, order in orders.items()}
    name = min(plans, key=lambda name: plans[name][0])
    size, offsets = plans[name]
    bound += bound // NEAR_ENOUGH
    if size > bound:
        better, placed = improved(house, orders[name], bound, tries)
        if better < size:
            name, size, offsets = f"{name}, improved", better, placed
    if size > bound:
        better, placed = best_place(house, size, offsets, bound)
        if better < size:
            name, size, offsets = "exact", better, placed
    return name, size, offsets

"""The arena: the schedule of a net and where every tensor of it lies, in one memory or in several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from detc.targets.stm32.alike import Alike
from detc.targets.stm32.exact import best_place
from detc.targets.stm32.order import BEAM, OPTIMIZED_BEAM, reordered
from detc.targets.stm32.planners import Placed, best_of, improved, place_like
from detc.targets.stm32.pools import Places, Room, spread
from detc.targets.stm32.schedule import LOOKS, OPTIMIZED_LOOKS, Schedule
from detc.targets.stm32.slots import Slot
from detc.targets.stm32.steps import Steps
from detc.targets.stm32.tenants import House, house_of

NEAR_ENOUGH = 55
"""A plan that is larger than its lower bound by at most 1 / NEAR_ENOUGH is not improved."""

RELAXED = (1.0, 0.9, 0.8, 0.7)
"""How far below the fullest slot, as a share of it, others are made less full where they leave the planners no room."""

JOINS, OPTIMIZED_JOINS = 10, 40
"""Neighbours that are joined at a time to see whether that helps, in a check and with `--optimize`."""

TRIES = 2_000
"""Changes of the best order that are tried with `--optimize`."""


@dataclass(frozen=True, slots=True)
class Arena:
    """`places` are (number of the room, offset) by tenant of `house`; `fits` is False where the rooms do not hold them.

    `needs` are the bytes that each slot cannot do without; no plan of this schedule can go below the largest. `planner` says
    whose plan it is.
    """

    slots: tuple[Slot, ...]
    house: House
    needs: tuple[int, ...]
    rooms: tuple[Room, ...]
    places: Places
    fits: bool
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

    @property
    def bound(self) -> int:
        return max(self.needs, default=0)

    @property
    def peak(self) -> int:
        """The number of the fullest slot."""
        return max(range(len(self.needs)), key=lambda slot: self.needs[slot], default=0)


def plan_net(steps: Steps, rooms: Sequence[Room], optimize: bool = False) -> tuple[Steps, Arena]:
    """The steps in the order in which they need the fewest bytes, as far as one is found, and their arena."""
    ordered = [reordered(steps, beam) for beam in ((BEAM, OPTIMIZED_BEAM) if optimize else (BEAM,))]
    bounds = {id(each): _lowered(Alike(repr(each), each), LOOKS).fullest() for each in (steps, *ordered)}
    # Of equal bounds the searched order comes first: it leaves the planners more room.
    tried = sorted((*(each for each in ordered if each is not steps), steps), key=lambda each: bounds[id(each)])
    plans: list[tuple[Steps, Arena]] = []
    for longer in sorted({False, optimize}):
        for each in tried:
            plans.append((each, plan_arena(each, rooms, longer)))
            if not optimize and plans[-1][1].bytes <= bounds[id(tried[0])]:  # nothing smaller is left to find
                break
    return min(plans, key=lambda plan: (not plan[1].fits, plan[1].bytes))


@lru_cache(maxsize=32)
def _lowered(alike: Alike[Steps], looks: int) -> Schedule:
    """Steps with the streams that make their fullest slot less full; to be copied before it is changed."""
    schedule = Schedule(alike.value, looks)
    schedule.lower()
    return schedule


def plan_arena(steps: Steps, rooms: Sequence[Room], optimize: bool = False) -> Arena:
    """The arena of a net in the memories that it may use, the best first; without any, in one that has no end.

    `optimize` looks for longer, for a smaller one.
    """
    slots, house, plan = _smallest(Alike(repr(steps), steps), optimize)
    whole = tuple(rooms) or (Room("ram", 0, plan.bytes),)
    places: Places = [(0, offset) for offset in plan.offsets]
    fits, planner = plan.bytes <= whole[0].bytes, plan.planner
    if not fits and len(whole) > 1 and (spreading := spread(house, whole)) is not None:
        places, fits, planner = spreading, True, "across memories"
    return Arena(slots, house, tuple(house.needs()), whole, places, fits, planner)


@lru_cache(maxsize=32)
def _smallest(alike: Alike[Steps], optimize: bool) -> tuple[tuple[Slot, ...], House, Placed]:
    """The schedule and the plan of fewest bytes in one memory."""
    steps = alike.value
    schedule = _lowered(alike, OPTIMIZED_LOOKS if optimize else LOOKS).copy()
    tried: list[tuple[Schedule, House, Placed]] = []
    for share in RELAXED:
        if share < 1:
            schedule.relax(share)
        house = house_of(steps, schedule.slots())
        tried.append((schedule.copy(), house, best_of(house, _goal(house))))
        if tried[-1][2].bytes <= _goal(house):
            break
    else:
        best = sorted(tried, key=lambda made: made[2].bytes)
        for made in best if optimize else best[:1]:
            tried.append(_untangled(*made, OPTIMIZED_JOINS if optimize else JOINS))
            if tried[-1][2].bytes <= _goal(tried[-1][1]):
                break
    schedule, house, plan = min(tried, key=lambda made: made[2].bytes)
    if optimize:
        plan = improved(house, plan, max(house.needs(), default=0), TRIES)
    return schedule.slots(), house, best_place(house, plan, _goal(house))


def _goal(house: House) -> int:
    bound = max(house.needs(), default=0)
    return bound + bound // NEAR_ENOUGH


def _untangled(schedule: Schedule, house: House, plan: Placed, joins: int) -> tuple[Schedule, House, Placed]:
    """Joins neighbours of which the second slides its output over the first one's, where that makes the plan smaller.

    A map that shrinks at its lower end and then grows from its upper end needs the bytes of both; without the map between them it
    does not.
    """
    while plan.bytes > _goal(house):
        best: tuple[Schedule, House, Placed] | None = None
        for joined in schedule.joins(joins):
            other = house_of(schedule.steps, joined.slots())
            found = place_like(other, plan)
            if found is not None and found.bytes < (best[2].bytes if best else plan.bytes):
                best = (joined, other, found)
        if best is None:
            break
        schedule, house, plan = best
    return schedule, house, plan

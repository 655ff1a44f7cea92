"""Planners: each gives every tenant an offset in one memory. All are greedy; they differ in whom they place first.

A chain of tenants goes where the memory in use grows least, below or above what is placed. Offsets may be negative while planning
and begin at 0 in the end. (Greedy by size and by conflicts: Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net
Inference, 2020.)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from detc.targets.stm32.chains import Chain, chains, extent
from detc.targets.stm32.tenants import House

Offsets = list[int]
Order = Sequence[Chain]


@dataclass(frozen=True, slots=True)
class Placed:
    """Offsets by tenant, the bytes from the lowest to the highest; the order, the planner and the links that led there."""

    bytes: int
    offsets: Offsets
    order: Order
    planner: str
    share: float


class _Measures:
    """What planners sort by, worked out where one asks."""

    def __init__(self, house: House, needs: Sequence[int]):
        self.house, self.needs = house, needs

    @cached_property
    def met(self) -> list[int]:
        """Bytes of each tenant and of all that it meets."""
        tenants = self.house.tenants
        return [t.bytes + sum(tenants[other].bytes for other in self.house.near[i]) for i, t in enumerate(tenants)]

    @cached_property
    def fullest(self) -> list[tuple[int, int]]:
        """The fullest slot of each tenant's life, as (bytes, number) of which the smallest comes first."""
        last = self.house.slots - 1
        lives = ((max(t.first, 0), min(t.last, last)) for t in self.house.tenants)
        slots = (max(range(low, high + 1), key=lambda slot: self.needs[slot], default=last) for low, high in lives)
        return [(-self.needs[slot], slot) if self.needs else (0, 0) for slot in slots]

    def by_size(self, chain: Chain) -> tuple[int, ...]:
        """The largest first."""
        return (-extent(self.house, chain), chain[0][0])

    def by_sum(self, chain: Chain) -> tuple[int, ...]:
        """First the chain with the most bytes in all its tenants."""
        return (-sum(self.house.tenants[tenant].bytes for tenant, _ in chain), chain[0][0])

    def by_conflict(self, chain: Chain) -> tuple[int, ...]:
        """First whoever meets the most bytes."""
        return (-max(self.met[tenant] for tenant, _ in chain), chain[0][0])

    def by_time(self, chain: Chain) -> tuple[int, ...]:
        """In the order in which they move in, each where it fits best."""
        return (self.house.tenants[chain[0][0]].first, -extent(self.house, chain), chain[0][0])

    def by_peak(self, chain: Chain) -> tuple[int, ...]:
        """All of the fullest slot, then all of the next fullest, and so on."""
        return min((*self.fullest[tenant], -self.house.tenants[tenant].bytes, tenant) for tenant, _ in chain)


PLANNERS: dict[str, Callable[[_Measures, Chain], tuple[int, ...]]] = {
    "by size": _Measures.by_size,
    "by sum": _Measures.by_sum,
    "by conflict": _Measures.by_conflict,
    "by time": _Measures.by_time,
    "by peak": _Measures.by_peak,
}

LINKED = (0.9, 0.8, 0.6, 0.4, 0.0, 2.0)
"""How full a slot must be, as a share of the fullest, for its tenants to be linked into chains. Each is tried; 2 links none."""


def orders(house: House) -> Iterator[Order]:
    """The orders of all planners, for chains linked where it is tightest and for none linked."""
    needs = house.needs()
    measures, peak = _Measures(house, needs), max(needs, default=0)
    for floor in (peak + 1, int(LINKED[0] * peak)):
        linked = chains(house, needs, floor)
        for planner in PLANNERS.values():
            yield sorted(linked, key=lambda chain: planner(measures, chain))


def best_of(house: House, goal: int) -> Placed:
    """The plan of fewest bytes over all planners and all ways to link; the first that needs at most `goal`."""
    needs = house.needs()
    measures, best = _Measures(house, needs), Placed(0, [], (), "none", 0)
    for share in LINKED:
        linked = chains(house, needs, int(share * max(needs, default=0)))
        for name, planner in PLANNERS.items():
            order = sorted(linked, key=lambda chain: planner(measures, chain))
            found = place(house, order, best.bytes if best.offsets else None)
            if found is not None:
                best = Placed(*found, order, name, share)
                if best.bytes <= goal:
                    return best
    return best


def place_like(house: House, plan: Placed) -> Placed | None:
    """The plan by the planner and the links of another house's plan; None where it is no smaller than that."""
    needs = house.needs()
    measures, planner = _Measures(house, needs), PLANNERS[plan.planner]
    linked = chains(house, needs, int(plan.share * max(needs, default=0)))
    order = sorted(linked, key=lambda chain: planner(measures, chain))
    found = place(house, order, plan.bytes)
    return Placed(*found, order, plan.planner, plan.share) if found else None


def place(house: House, order: Order, most: int | None = None) -> tuple[int, Offsets] | None:
    """(bytes in all, offsets) with the chains placed in this order; None as soon as `most` bytes or more are reached."""
    offsets: dict[int, int] = {}
    low = high = 0
    for chain in order:
        size = extent(house, chain)
        # With a tenant at 0 a neighbour must not begin in (a, b): so the tenant must not in (neighbour - b, neighbour - a).
        taken = sorted(
            (offsets[i] - b - at, offsets[i] - a - at)
            for tenant, at in chain
            for i, (a, b) in house.near[tenant].items()
            if i in offsets
        )
        best = _least_growth(taken, low, high, size) if offsets else 0
        for tenant, at in chain:
            offsets[tenant] = best + at
        low, high = min(low, best), max(high, best + size)
        if most is not None and high - low >= most:
            return None
    return high - low, [offsets[i] - low for i in range(len(house.tenants))]


def _least_growth(taken: list[tuple[int, int]], low: int, high: int, size: int) -> int:
    """The free place outside all open intervals `taken` (sorted) that makes low .. high grow least; the lowest of equals."""
    edges: list[tuple[int, int]] = []
    for start, end in taken:
        if edges and start < edges[-1][1]:
            edges[-1] = (edges[-1][0], max(edges[-1][1], end))
        else:
            edges.append((start, end))
    free = [at for at in (low, high - size) if not any(start < at < end for start, end in edges)]
    free += [edge for interval in edges for edge in interval]
    return min(free, key=lambda at: (max(high, at + size) - min(low, at), at))


def improved(house: House, plan: Placed, goal: int, tries: int) -> Placed:
    """The best of `tries` small changes of a plan's order, each kept where it is no worse, the same in every run.

    A chain at either end of the memory, or any other, is placed earlier; so it finds a better place before that is taken.
    """
    chance = random.Random(len(plan.order))
    for _ in range(tries):
        if plan.bytes <= goal or len(plan.order) < 2:
            break
        order = list(plan.order)
        outer = [
            n
            for n, chain in enumerate(order)
            if any(plan.offsets[i] == 0 or plan.offsets[i] + house.tenants[i].bytes == plan.bytes for i, _ in chain)
        ]
        for _ in range(chance.choice((1, 1, 2))):
            number = chance.choice(outer) if chance.random() < 0.6 else chance.randrange(len(order))
            order.insert(chance.randrange(number + 1), order.pop(number))
        found = place(house, order, plan.bytes + 1)
        if found is not None:
            plan = Placed(*found, order, plan.planner, plan.share)
    return plan

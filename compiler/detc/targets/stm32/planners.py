"""Planners: each gives every tenant an offset in one memory. All are greedy; they differ in whom they place first.

A tenant goes where the memory in use grows least, below or above what is placed; so an output can slide below its input, whoever
of the two came first. Offsets may be negative while planning and begin at 0 in the end. (Greedy by size and by conflicts:
Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020.)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from detc.targets.stm32.tenants import House

Offsets = list[int]
Order = Sequence[int]


def by_size(house: House) -> Order:
    """The largest first."""
    return sorted(range(len(house.tenants)), key=lambda i: (-house.tenants[i].bytes, i))


def by_conflict(house: House) -> Order:
    """First whoever meets the most bytes."""
    tenants = house.tenants
    met = [tenants[i].bytes + sum(tenants[other].bytes for other in house.near[i]) for i in range(len(tenants))]
    return sorted(range(len(tenants)), key=lambda i: (-met[i], i))


def by_time(house: House) -> Order:
    """In the order in which they move in, each where it fits best."""
    return sorted(range(len(house.tenants)), key=lambda i: (house.tenants[i].first, -house.tenants[i].bytes, i))


def by_peak(house: House) -> Order:
    """All of the fullest slot, then all of the next fullest, and so on."""
    needs = house.needs()
    order: dict[int, None] = {}
    for slot in sorted(range(house.slots), key=lambda slot: (-needs[slot], slot)):
        for tenant in sorted(house.live(slot), key=lambda i: (-house.tenants[i].bytes, i)):
            order[tenant] = None
    return [*order, *(i for i in range(len(house.tenants)) if i not in order)]


PLANNERS: dict[str, Callable[[House], Order]] = {
    "by size": by_size,
    "by conflict": by_conflict,
    "by time": by_time,
    "by peak": by_peak,
}


def place(house: House, order: Order) -> tuple[int, Offsets]:
    """(bytes in all, offsets) with the tenants placed in this order."""
    offsets: dict[int, int] = {}
    low = high = 0
    for tenant in order:
        size, near = house.tenants[tenant].bytes, house.near[tenant]
        if not offsets:
            offsets[tenant], high = 0, size
            continue
        # With the tenant at 0 a neighbour must not begin in (a, b): so the tenant must not in (neighbour - b, neighbour - a).
        taken = sorted((offsets[i] - b, offsets[i] - a) for i, (a, b) in near.items() if i in offsets)
        best = _least_growth(taken, low, high, size)
        offsets[tenant] = best
        low, high = min(low, best), max(high, best + size)
    return high - low, [offsets[i] - low for i in range(len(house.tenants))]


def _least_growth(taken: list[tuple[int, int]], low: int, high: int, size: int) -> int:
    """The free place outside all open intervals `taken` (sorted) that makes low .. high grow least; the lowest of equals."""
    free: list[int] = [low, high - size]
    edges: list[tuple[int, int]] = []
    for start, end in taken:
        if edges and start < edges[-1][1]:
            edges[-1] = (edges[-1][0], max(edges[-1][1], end))
        else:
            edges.append((start, end))
    free = [at for at in free if not any(start < at < end for start, end in edges)]
    free += [edge for interval in edges for edge in interval]
    return min(free, key=lambda at: (max(high, at + size) - min(low, at), at))


def improved(house: House, order: Order, bound: int, tries: int) -> tuple[int, Offsets]:
    """The best of `tries` small changes of an order, each kept where it is no worse, the same in every run; ends at `bound`."""
    chance = random.Random(len(order))
    best = list(order)
    size, offsets = place(house, best)
    for _ in range(tries):
        if size <= bound:
            break
        changed = list(best)
        for _ in range(chance.choice((1, 1, 2, 3))):
            moved = changed.pop(chance.randrange(len(changed)))
            changed.insert(chance.randrange(len(changed) + 1), moved)
        found, placed = place(house, changed)
        if found <= size:
            size, offsets, best = found, placed, changed
    return size, offsets

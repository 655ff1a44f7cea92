"""Placing tenants across several memories where the first does not hold them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detc.targets.stm32.chains import Chain, extent
from detc.targets.stm32.planners import Order, orders
from detc.targets.stm32.tenants import House


@dataclass(frozen=True, slots=True)
class Room:
    """A memory as the planner sees it: `bytes` that the net may take of it. The fastest and largest come first."""

    name: str
    address: int
    bytes: int


Places = list[tuple[int, int]]
"""(number of the room, offset) by tenant."""


def spread(house: House, rooms: Sequence[Room]) -> Places | None:
    """Places of all tenants, each wholly in one room, with the fewest bytes in the later rooms; None where no planner finds any.

    In every room a chain is tried at its lower and at its upper end, since an output slides below its input.
    """
    found = [
        places
        for order in orders(house)
        for upper in (False, True)
        if (places := _spread(house, rooms, order, upper)) is not None
    ]
    return min(found, key=lambda places: _later(house, places), default=None)


def _later(house: House, places: Places) -> list[int]:
    """Bytes used of each room, the last first: so that slow memories count most."""
    ends: dict[int, int] = {}
    for tenant, (room, offset) in zip(house.tenants, places, strict=True):
        ends[room] = max(ends.get(room, 0), offset + tenant.bytes)
    return [ends.get(room, 0) for room in range(max(ends, default=0), -1, -1)]


def _spread(house: House, rooms: Sequence[Room], order: Order, upper: bool) -> Places | None:
    places: dict[int, tuple[int, int]] = {}
    for chain in order:
        spots = (_spot(house, rooms, places, chain, number, upper) for number in range(len(rooms)))
        spot = next((spot for spot in spots if spot), None)
        if spot is None:
            return None
        places |= {tenant: (spot[0], spot[1] + at) for tenant, at in chain}
    return [places[i] for i in range(len(house.tenants))]


def _spot(
    house: House, rooms: Sequence[Room], places: dict[int, tuple[int, int]], chain: Chain, room: int, upper: bool
) -> tuple[int, int] | None:
    """A free place of a chain in a room: the lowest, or with `upper` the highest; None where there is none."""
    last = rooms[room].bytes - extent(house, chain)
    taken = [
        (places[n][1] - high - at, places[n][1] - low - at)
        for tenant, at in chain
        for n, (low, high) in house.near[tenant].items()
        if n in places and places[n][0] == room
    ]
    edges = {0, last, *(edge for interval in taken for edge in interval)}
    free = [at for at in edges if 0 <= at <= last and not any(start < at < end for start, end in taken)]
    if not free:
        return None
    return room, max(free) if upper else min(free)

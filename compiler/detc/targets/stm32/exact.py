"""The best plan there is, by branch and bound; for nets of few tensors.

Lay all tenants down as far as they go: then each rests on the ground or on one that begins below it. So the best plan is found by
trying every order from the ground up, each tenant at the lowest place above those before it that it meets.
"""

from __future__ import annotations

from dataclasses import replace

from detc.targets.stm32.planners import Offsets, Placed
from detc.targets.stm32.tenants import House

MOST_TENANTS = 12
MOST_TRIES = 20_000


def best_place(house: House, plan: Placed, goal: int) -> Placed:
    """A smaller plan where there is one, else the one given; ends at `goal` or after MOST_TRIES."""
    if len(house.tenants) > MOST_TENANTS:
        return plan
    search = _Search(house, plan.bytes, plan.offsets, goal)
    search.go([0] * len(house.tenants), 0, 0)
    return (
        replace(plan, bytes=search.size, offsets=search.offsets, planner="exact") if search.size < plan.bytes else plan
    )


class _Search:
    def __init__(self, house: House, size: int, offsets: Offsets, bound: int):
        self.house, self.size, self.offsets, self.bound = house, size, list(offsets), bound
        self.tries = 0

    def go(self, floors: list[int], placed: int, ground: int) -> None:
        """`floors` are the lowest places of those that are left, and the places of those in the bit set `placed`."""
        tenants = self.house.tenants
        left = [i for i in range(len(tenants)) if not placed >> i & 1]
        self.tries += 1
        if not left:
            self.size = max(floors[i] + tenants[i].bytes for i in range(len(tenants)))
            self.offsets = list(floors)
            return
        for i in sorted(left, key=lambda i: (floors[i], -tenants[i].bytes, i)):
            if self.size <= self.bound or self.tries > MOST_TRIES:
                return
            if floors[i] < ground:
                continue  # from the ground up: that order has been tried
            raised = list(floors)
            for other, (_, high) in self.house.near[i].items():
                if not placed >> other & 1 and other != i:
                    raised[other] = max(raised[other], floors[i] + high)
            if max(raised[k] + tenants[k].bytes for k in range(len(tenants))) < self.size:
                self.go(raised, placed | 1 << i, floors[i])

"""Chains of tenants that slide over one another: what a planner moves as one piece.

Where a slot is nearly as full as the fullest, its output has to lie over its dying input, a fixed number of bytes below it. Such
pairs follow each other; placed one by one, the second pair would find the first in its way. So they are placed together.
"""

from __future__ import annotations

from collections.abc import Sequence

from detc.targets.stm32.tenants import House

Chain = tuple[tuple[int, int], ...]
"""(tenant, its offset from the chain's lowest byte) in the order of time; one that slides over none is a chain of its own."""


def chains(house: House, needs: Sequence[int], floor: int) -> list[Chain]:
    """All tenants as chains: those of slots that need at least `floor` bytes are linked where that saves bytes.

    A chain ends before it gets longer than the fullest slot: each link lies a little lower, and no plan has more room than that.
    """
    tenants, most = house.tenants, max(needs, default=0)
    links: dict[int, tuple[int, int, int]] = {}
    for (out, source), apart in house.overlaps.items():
        below, above = tenants[out].bytes, tenants[source].bytes
        saved = below + above - max(apart + above, below)
        if needs[tenants[out].first] >= floor and saved > max(0, links[out][0] if out in links else 0):
            links[out] = (saved, source, apart)
    following = {source: (out, apart) for out, (_, source, apart) in links.items()}
    starts = [tenant for tenant in range(len(tenants)) if tenant not in links]
    found = []
    while starts:
        chain, at = [(starts.pop(), 0)], 0
        low, high = 0, tenants[chain[0][0]].bytes
        while chain[-1][0] in following:
            out, apart = following[chain[-1][0]]
            at -= apart
            low, high = min(low, at), max(high, at + tenants[out].bytes)
            if high - low > most:
                starts.append(out)
                break
            chain.append((out, at))
        lowest = min(at for _, at in chain)
        found.append(tuple((tenant, at - lowest) for tenant, at in chain))
    return sorted(found)


def extent(house: House, chain: Chain) -> int:
    """Bytes from a chain's lowest to its highest."""
    return max(at + house.tenants[tenant].bytes for tenant, at in chain)

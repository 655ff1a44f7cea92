"""Where the tensors of a plan lie: the pools of its arena as C arrays, and the address of every tensor in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detrt.devices.stm32.c.naming import identifiers
from detrt.devices.stm32.program import Program
from detrt.errors import DetrtError


@dataclass(frozen=True, slots=True)
class Pool:
    """A piece of the arena in one memory of the part: `used` of its `capacity` bytes; `symbol` is its C array."""

    name: str
    symbol: str
    used: int
    capacity: int


@dataclass(frozen=True, slots=True)
class Place:
    pool: Pool
    offset: int
    bytes: int

    @property
    def c(self) -> str:
        """A C expression of its address."""
        return f"{self.pool.symbol} + {self.offset}" if self.offset else self.pool.symbol


@dataclass(frozen=True, slots=True)
class Arena:
    """Places of tensors, aliases among them, by name, and of the working memory of the steps that need some.

    Of the tensors in `windows` only so many rows are there at a time.
    """

    pools: tuple[Pool, ...]
    tensors: Mapping[str, Place]
    scratch: Mapping[str, Place]
    windows: Mapping[str, int]

    @property
    def bytes(self) -> int:
        return sum(pool.used for pool in self.pools)


def arena_of(program: Program, plan: Mapping[str, Any]) -> Arena:
    """The arena of `plan["arena"]` for the tensors of `program`. Raises DetrtError where the plan is another network's."""
    said = plan["arena"]
    windows = {name: entry for stream in said.get("streams", ()) for name, entry in stream["windows"].items()}
    offsets: dict[str, Any] = said["offsets"] | windows
    scratch: dict[str, Any] = said.get("scratch") or {}
    missing = [name for name in program.tensors if name not in program.aliases and name not in offsets]
    if missing:
        raise DetrtError(f"the plan has no place for `{missing[0]}`", "plan.arena", "build and export again")
    sizes = {
        name: program.tensors[name].bytes
        // program.tensors[name].shape[0]
        * entry.get("rows", program.tensors[name].shape[0])
        for name, entry in offsets.items()
        if name in program.tensors
    }
    ends: dict[str, int] = {}
    for entry, size in [(offsets[name], size) for name, size in sizes.items()] + [
        (e, e["bytes"]) for e in scratch.values()
    ]:
        ends[entry["pool"]] = max(ends.get(entry["pool"], 0), entry["offset"] + size)
    words = identifiers(str(pool["name"]) for pool in said["pools"])
    pools = {
        pool["name"]: Pool(
            pool["name"],
            f"arena_{words[pool['name']]}",
            max(ends[pool["name"]], int(pool.get("used") or 0)),  # the plan rounds up, and C takes what the report says
            int(pool["bytes"]),
        )
        for pool in said["pools"]
        if pool["name"] in ends
    }
    tensors = {name: Place(pools[offsets[name]["pool"]], offsets[name]["offset"], size) for name, size in sizes.items()}
    for alias, target in program.aliases.items():
        while target in program.aliases:
            target = program.aliases[target]
        tensors[alias] = tensors[target]
    working = {name: Place(pools[e["pool"]], e["offset"], e["bytes"]) for name, e in scratch.items()}
    return Arena(tuple(pools.values()), tensors, working, {name: entry["rows"] for name, entry in windows.items()})

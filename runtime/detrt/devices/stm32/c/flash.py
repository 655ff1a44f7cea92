"""Which flash of a target the constants of a network go to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Flash:
    """`room` bytes are left to the network; external flash is a chip of its own, addressed like memory."""

    name: str
    room: int
    external: bool


def flash_for(constants: int, lock: Mapping[str, Any]) -> Flash | None:
    """The first flash of the lock's target that holds so many bytes, internal ones before external ones, else the largest;
    None where the target has none.
    """
    facts = (lock.get("target") or {}).get("facts") or {}
    flashes = [
        Flash(
            name,
            max(int(size) - int(facts.get(f"flash.{name}.application") or 0), 0),
            bool(facts.get(f"flash.{name}.external")),
        )
        for key, size in sorted(facts.items())
        if key.startswith("flash.") and key.endswith(".size") and (name := key[len("flash.") : -len(".size")])
    ]
    fitting = [flash for flash in flashes if constants <= flash.room]
    if fitting:
        return min(fitting, key=lambda flash: (flash.external, -flash.room))
    return max(flashes, key=lambda flash: flash.room, default=None)

"""What the backend reads from an stm32 target: its core, its memories, and how much of each the application leaves to a net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from detc.semantics.program import Fact, Section, Target


@dataclass(frozen=True, slots=True)
class Pool:
    """One memory: RAM for activations (`memory NAME`) or flash for weights and code (`flash NAME`). All sizes in bytes.

    `application` is what the user's own program keeps of it. `external` memory is a chip of its own on the board and slower;
    `npu` says whether the neural processor reaches it.
    """

    name: str
    address: int
    size: int
    application: int
    external: bool
    npu: bool
    facts: Section

    @property
    def room(self) -> int:
        """Bytes that a net may take."""
        return max(self.size - self.application, 0)

    @property
    def fact(self) -> Fact:
        """The line that limits it: what the application keeps, where it says so, else the size."""
        return self.facts.facts.get("application") or self.facts.facts["size"]


def memories(target: Target) -> tuple[Pool, ...]:
    """The RAM of the target: internal pools first, each kind by falling room."""
    return _pools(target, "memory")


def flashes(target: Target) -> tuple[Pool, ...]:
    """The flash of the target: internal first, each kind by falling room."""
    return _pools(target, "flash")


def _pools(target: Target, kind: str) -> tuple[Pool, ...]:
    found = (_pool(section) for section in target.root.all(kind) if "size" in section.facts)
    return tuple(sorted(found, key=lambda pool: (pool.external, -pool.room, pool.address)))


def _pool(section: Section) -> Pool:
    return Pool(
        section.label,
        int(_value(section, "address", 0)),
        int(_value(section, "size", 0)),
        int(_value(section, "application", 0)),
        bool(_value(section, "external", False)),
        bool(_value(section, "npu", False)),
        section,
    )


def _value(section: Section, name: str, default: Any) -> Any:
    fact = section.facts.get(name)
    return default if fact is None else fact.value

"""What the backend reads from an stm32 target: its core, its memories, and how much of each the application leaves to a net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from detc.semantics.program import Fact, Section, Target


@dataclass(frozen=True, slots=True)
class Pool:
    """One memory: RAM for activations (`memory NAME`) or flash for weights and code (`flash NAME`). All sizes in bytes.

    `application` is what the user's own program keeps of it, its `buffers` (`buffer camera { memory = .. size = .. }`) included.
    `external` memory is a chip of its own on the board and slower; `npu` says whether the neural processor reaches it.
    """

    name: str
    address: int
    size: int
    application: int
    external: bool
    npu: bool
    section: Section
    buffers: tuple[Section, ...] = ()

    @property
    def room(self) -> int:
        """Bytes that a net may take."""
        return max(self.size - self.application, 0)

    @property
    def fact(self) -> Fact:
        """The line that limits it: what the application keeps, where it says so, else the size."""
        return self.section.facts.get("application") or self.section.facts["size"]


def memories(target: Target) -> tuple[Pool, ...]:
    """The RAM of the target: internal pools first, each kind by falling room."""
    return _pools(target, "memory")


def flashes(target: Target) -> tuple[Pool, ...]:
    """The flash of the target: internal first, each kind by falling room."""
    return _pools(target, "flash")


def number(section: Section | None, name: str) -> float:
    """A number of a section; 0 where it is not given."""
    value = _value(section, name, 0) if section is not None else 0
    return float(value) if isinstance(value, int | float) else 0.0


def _pools(target: Target, kind: str) -> tuple[Pool, ...]:
    found = (_pool(section, target) for section in target.root.all(kind) if "size" in section.facts)
    return tuple(sorted(found, key=lambda pool: (pool.external, -pool.room, pool.address)))


def _pool(section: Section, target: Target) -> Pool:
    buffers = tuple(b for b in target.root.all("buffer") if _value(b, "memory", "") == section.label)
    return Pool(
        section.label,
        int(number(section, "address")),
        int(number(section, "size")),
        int(number(section, "application") + sum(number(buffer, "size") for buffer in buffers)),
        _value(section, "external", False) is True,
        _value(section, "npu", False) is True,
        section,
        buffers,
    )


def _value(section: Section, name: str, default: Any) -> Any:
    fact = section.facts.get(name)
    return default if fact is None else fact.value

"""A key of a section and the table of keys that a section or a call takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detc.semantics.schema.kind import Kind

REQUIRED: Any = object()
"""The default of a key that must be given."""


@dataclass(eq=False, repr=False)
class Key:
    """`name` may be dotted (`loss.noobj`): then `loss noobj = 1`, `loss.noobj = 1` and `loss { noobj = 1 }` all set it.

    A name that ends in `.*` (`lr.*`) is a family: `lr trunk = 1e-4` gives the entry `lr.trunk`. `default` is the resolved
    value (plain JSON), REQUIRED if the key must be given; `example` is a line for the remedy; `known_as` are the names that
    other tools have for the key, which are taken as well.
    """

    name: str
    kind: Kind
    default: Any = REQUIRED
    doc: str = ""
    example: str = ""
    known_as: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """What the names of a family begin with, `lr.`; empty for a single key."""
        return self.name[:-1] if self.name.endswith(".*") else ""


@dataclass(eq=False, repr=False)
class Schema:
    """What a section or a call takes. In a call positional arguments fill the keys in their order."""

    what: str
    keys: tuple[Key, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Entries that every value of this schema carries besides, such as a computed default."""

    def key(self, name: str) -> Key | None:
        """The key that is called `name`, by its own name, by one of other tools, or as a member of a family."""
        found = self._by_name.get(name)
        if found is not None:
            return found
        return next((key for key in self._families if name.startswith(key.family)), None)

    @cached_property
    def _by_name(self) -> dict[str, Key]:
        return {name: key for key in reversed(self.keys) for name in (key.name, *key.known_as)}

    @cached_property
    def _families(self) -> tuple[Key, ...]:
        return tuple(key for key in self.keys if key.family)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all single keys."""
        return tuple(key.name for key in self.keys if not key.family)

    @property
    def spellings(self) -> tuple[str, ...]:
        """The names of all single keys, and those that other tools have for them."""
        return tuple(name for key in self.keys if not key.family for name in (key.name, *key.known_as))

    def in_order(self, given: Iterable[str]) -> list[str]:
        """The names among `given` that this schema has, in the order of its keys."""
        places = {key.name: place for place, key in enumerate(self.keys)}
        known = {name: key for name in given if (key := self.key(name)) is not None}
        return sorted(known, key=lambda name: places[known[name].name])

    def defaults(self) -> dict[str, Any]:
        return {key.name: key.default for key in self.keys if key.default is not REQUIRED and not key.family}

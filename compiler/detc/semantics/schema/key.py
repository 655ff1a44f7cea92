"""A key of a section and the table of keys that a section or a call takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detc.semantics.schema.kind import Kind

REQUIRED: Any = object()
"""The default of a key that must be given."""


@dataclass(eq=False, repr=False)
class Key:
    """`name` may be dotted (`loss.noobj`): then `loss noobj = 1`, `loss.noobj = 1` and `loss { noobj = 1 }` all set it.

    `default` is the resolved value (plain JSON), REQUIRED if the key must be given; `example` is a line for the remedy.
    """

    name: str
    kind: Kind
    default: Any = REQUIRED
    doc: str = ""
    example: str = ""


@dataclass(eq=False, repr=False)
class Schema:
    """What a section or a call takes. In a call positional arguments fill the keys in their order."""

    what: str
    keys: tuple[Key, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Entries that every value of this schema carries besides, such as a computed default."""

    def key(self, name: str) -> Key | None:
        return next((key for key in self.keys if key.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(key.name for key in self.keys)

    def defaults(self) -> dict[str, Any]:
        return {key.name: key.default for key in self.keys if key.default is not REQUIRED}

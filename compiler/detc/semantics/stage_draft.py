"""A stage as it was read, before it is resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from detc.diagnostics import Span
from detc.semantics.program import Gate, Model
from detc.semantics.reading import Entries
from detc.semantics.schema.key import Key
from detc.syntax import tree


@dataclass(eq=False, repr=False)
class Draft:
    """A stage as read: its own keys and those of its block, before anything is looked up."""

    name: str
    train: str
    model: Model | None
    span: Span
    own: Entries
    block: Entries
    loss: tuple[Key, ...]
    requires: tuple[tree.Require, ...]
    entries: Entries = field(default_factory=dict)
    start: tuple[str, str] | None = None
    caps: str | None = None
    ranges: str | None = None
    gates: list[Gate] = field(default_factory=list)
    good: bool = True

    @property
    def id(self) -> str:
        return f"{self.train}.{self.name}"

    @property
    def calibrates(self) -> bool:
        return self.value("calibrate.caps") is not None or self.measures_ranges

    @property
    def measures_ranges(self) -> bool:
        return self.value("calibrate.ranges") is not None

    @property
    def prunes(self) -> bool:
        return self.value("prune.channels") is not None

    @property
    def kind(self) -> str:
        return "calibrate" if self.calibrates else "prune" if self.prunes else "train"

    def value(self, key: str) -> Any:
        setting = self.entries.get(key)
        return setting.value if setting else None

    def family(self, front: str) -> dict[str, Any]:
        """The values of the keys that begin with `front`, by the rest of their names: `{"trunk": 1e-4}` for `lr.`."""
        return {
            name.removeprefix(front): setting.value for name, setting in self.entries.items() if name.startswith(front)
        }

    def place(self, key: str) -> Span:
        setting = self.entries.get(key)
        return setting.span if setting and setting.span else self.span

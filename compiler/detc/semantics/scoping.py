"""What the readers of sections need of a scope: to evaluate, and to know which names it binds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from detc.diagnostics import Finding
from detc.syntax import tree


class Scoping(Protocol):
    """A scope seen from a section."""

    def evaluate(self, expr: tree.Expr, findings: list[Finding]) -> Any:
        """The value of `expr`; BROKEN with its findings appended to `findings`."""

    def bound(self, name: str) -> bool:
        """Whether `name` has a value here; a word that has none may be a word of the section."""

    def with_names(self, names: Mapping[str, Any]) -> Scoping:
        """A scope inside this one that binds `names` too."""

"""What a pass is and what it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from detc.diagnostics import Finding
from detc.ir.graph import Graph
from detc.semantics.program import Target


@dataclass(frozen=True, slots=True)
class Context:
    """What every pass may look at. `keep` names nodes that must stay apart, such as those that the spec puts on the
    host."""

    target: Target | None = None
    keep: frozenset[str] = frozenset()


Result = tuple[Graph, tuple[Finding, ...]]
Pass = Callable[[Graph, Context], Result]
"""A pure function: the graph it is given stays as it was."""

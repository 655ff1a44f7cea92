"""What a report is about: everything that one run of the compiler knows of a spec."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from detc.diagnostics import Finding, has_errors
from detc.ir.graph import Graph
from detc.report.timeline import Timeline
from detc.semantics.program import Deploy, Model, Program


@dataclass(slots=True)
class Compilation:
    """A spec as compiled. `model` is the one that the target holds (or the last of the file), `graph` its counted graph.

    `metrics`, `limits` (budget bars), `layers` (table rows), `groups` and the target's own `tables` are plain JSON values.
    `plan` is the target's mapping, None without a target or where there is nothing to map; `plans` are those of the other
    models that are deployed. `titles`, `units` and `errors` (shares) say how metrics are told.
    `fits` is true if no finding is an error, `refused` if one of the errors is the target's or a gate's: others are mistakes of
    the spec or of `--set`, and say nothing of what the target would hold.
    """

    program: Program
    target: str | None
    model: Model | None = None
    graph: Graph | None = None
    findings: tuple[Finding, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    limits: list[dict[str, Any]] = field(default_factory=list)
    layers: list[dict[str, Any]] = field(default_factory=list)
    plan: dict[str, Any] | None = None
    groups: list[dict[str, Any]] = field(default_factory=list)
    memory: str = ""
    titles: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    brief: dict[str, str] = field(default_factory=dict)
    timeline: Timeline | None = None
    tables: list[dict[str, Any]] = field(default_factory=list)
    deploy: Deploy | None = None
    refused: bool = False
    plans: dict[str, Any] = field(default_factory=dict)

    @property
    def fits(self) -> bool:
        return not has_errors(self.findings)

    @property
    def placeholders(self) -> int:
        """How many facts of the target have no source yet."""
        return len(self.program.target.placeholders()) if self.program.target else 0

"""What a target hands down: its facts, its extra passes, and one function that judges a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from detc.diagnostics import Finding
from detc.ir.graph import Graph
from detc.passes.context import Pass
from detc.report.timeline import Timeline
from detc.semantics.program import Model, Target


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a target says of a model.

    `plan` goes into the lock file and is read by the target's device package alone. `metrics` join the report's, `limits` are its
    budget bars ({"name", "used", "limit", "unit", ..}), `columns` extra values of the layer table by node name. `groups` are the
    parts that run together, in order, for tables and pictures: {"name", "about", "why", "layers": [{"name", "read", "written"},
    ..]}, in bytes of `memory`, which is the name of a budget bar. `titles` say what metrics are called on paper,
    `units` what they are measured in ("B", "ms"; names that end in `_bytes` need none), `errors` by what share estimates may be
    wrong. `brief` names the metrics that tell `ram`, `cores`, `flash` and `latency_ms` where many nets are compared. `timeline`
    is the memory step by step. `tables` are what else a reader wants to see: {"name", "title", "columns": [{"key", "title",
    "unit"}, ..], "rows": [{key: value}, ..]}.
    """

    findings: tuple[Finding, ...] = ()
    plan: dict[str, Any] | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    limits: list[dict[str, Any]] = field(default_factory=list)
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: list[dict[str, Any]] = field(default_factory=list)
    memory: str = ""
    titles: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    brief: dict[str, str] = field(default_factory=dict)
    timeline: Timeline | None = None
    tables: list[dict[str, Any]] = field(default_factory=list)


class Judge(Protocol):
    """Judges a model's lowered graph. With `optimize` it may look for a better plan for longer than a check may take."""

    def __call__(self, graph: Graph, model: Model, target: Target, optimize: bool = False) -> Judgement: ...


@dataclass(frozen=True, slots=True)
class TargetBackend:
    """The Python side of a target. `judge` sees the lowered graph: batch norm folded, activations fused, then `passes`. `shrinks`
    are codes of findings that a smaller net does not have, the one first whose help shall say how much smaller."""

    name: str
    judge: Judge
    passes: tuple[Pass, ...] = ()
    shrinks: tuple[str, ...] = ()

"""`require EXPR else "..."`: a gate is judged once its metrics are known, and never called passed before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from detc.diagnostics import Finding, Rule
from detc.diagnostics.did_you_mean import closest
from detc.semantics.conditions import (
    EVENT_METRICS,
    NET_METRICS,
    NO_CONDITION,
    TRAINING_METRICS,
    UNKNOWN_METRIC,
    Metrics,
    Writer,
    evaluate_condition,
    is_condition,
    names_in,
)
from detc.semantics.program import Gate
from detc.semantics.reading import Reader, did_you_mean
from detc.syntax import tree

if TYPE_CHECKING:
    from detc.semantics.environment import Environment

FAILED = Rule(
    "GAT101",
    "error",
    """the spec requires `{text}`, and {actual}

    A `require` line states what must hold. Those about the graph, a parameter or a metric of the
    target are judged by `detc check`.""",
    help="{message}",
)
UNJUDGED = Rule(
    "GAT102",
    "note",
    """not judged yet: `{text}`

    The condition needs something that does not exist at this point: {reason}. It is judged when that is there (after
    the training stage it stands in, or once a target is chosen) and does not count as passed before.""",
    help="",
)


def read_gate(item: tree.Require, at: Reader, owner: str, stages: Mapping[str, str] | None = None) -> Gate | None:
    """The gate of a `require` line; None with findings where its condition cannot be one.

    `stages` maps the names by which a stage may be called here to ids (`float` -> `steps.float`).
    """
    writer = Writer(at, stages or {})
    condition = writer.write(item.condition)
    if condition is None:
        return None
    text = at.text(item.condition)
    if not is_condition(condition):
        at.report(NO_CONDITION(item.condition.span, actual=text))
        return None
    return Gate(text, condition, item.message.value if item.message else "", item.span, owner)


def declare(item: tree.Require, scope: Environment) -> None:
    """A `require` at the top of the spec: fills `program.gates`."""
    from detc.semantics.schema.rules import PARAM

    context = scope.context
    ids = [f"{stage.train}.{stage.name}" for stage in context.program.stages]
    at = Reader(scope, PARAM, context.sources, context.findings, context.overrides)
    gate = read_gate(item, at, "spec", {id: id for id in ids})
    if gate:
        context.program.gates.append(gate)


def judge(gates: Iterable[Gate], metrics: Metrics, *, known: Iterable[str] = ()) -> tuple[list[Gate], list[Finding]]:
    """The gates with their verdicts, and a finding for each that failed or is not judged yet.

    A metric that is None, or a name in `known`, exists but is not measured yet. Any other name is an error where a target
    has given its metrics, or where it looks misspelt; otherwise it may be a metric of a target that is not chosen yet.
    """
    judged: list[Gate] = []
    findings: list[Finding] = []
    names = {*metrics, *known, *TRAINING_METRICS, *EVENT_METRICS, *NET_METRICS}
    final = bool(set(metrics) - set(NET_METRICS))
    for gate in gates:
        value = evaluate_condition(gate.condition, metrics)
        if isinstance(value, bool):
            verdict = "passed" if value else "failed"
            judged.append(replace(gate, verdict=verdict))
            if not value:
                measured = [name for name in dict.fromkeys(names_in(gate.condition)) if metrics.get(name) is not None]
                shown = ", ".join(f"{name} is {metrics[name]:,}" for name in measured)
                actual = shown or "it does not hold"
                findings.append(
                    FAILED(gate.span, text=gate.text, actual=actual, allowed=gate.text, message=gate.message)
                )
            continue
        judged.append(replace(gate, verdict="unjudged"))
        unknown = [name for name in names_in(gate.condition) if name not in names and "." not in name]
        unknown = [name for name in unknown if final or closest(name, names)]
        for name in unknown:
            findings.append(UNKNOWN_METRIC(gate.span, actual=name, remedy=did_you_mean(name, tuple(names))))
        if not unknown:
            waiting = [name for name in names_in(gate.condition) if metrics.get(name) is None]
            reason = "it waits for " + ", ".join(dict.fromkeys(waiting)) if waiting else "its values cannot be compared"
            findings.append(UNJUDGED(gate.span, text=gate.text, reason=reason))
    return judged, findings


def gate_json(gate: Gate) -> dict[str, Any]:
    """A gate as it stands in the lock."""
    return {
        "text": gate.text,
        "condition": gate.condition,
        "message": gate.message,
        "span": gate.span.as_json() if gate.span else None,
        "verdict": gate.verdict,
    }

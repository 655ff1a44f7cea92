"""`require EXPR else "..."`: a condition as plain data, judged once its metrics are known and never called passed before."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from detc.diagnostics import Finding, Rule
from detc.diagnostics.did_you_mean import closest
from detc.semantics.program import Gate
from detc.semantics.reading import Reader, did_you_mean, plain_value
from detc.semantics.schema.kind import MISSING, dotted
from detc.semantics.values import Quantity, Range, is_number
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
UNKNOWN_METRIC = Rule(
    "GAT103",
    "error",
    """nothing is called `{actual}` that a `require` could judge

    Known are the names of the scope, the metrics of the net and of the target, and those of training: map50, map, loss.""",
    help="{remedy}",
)
NO_CONDITION = Rule(
    "GAT104",
    "error",
    """`require` needs a condition, and `{actual}` is none

    A condition compares two values, or joins comparisons by and, or, not.""",
    help="compare it: `require params <= 1e6`",
)
BAD_DROP = Rule(
    "GAT105",
    "error",
    """`drop` takes a metric of training and a stage, as in `drop(map50, since = float)`; got `{actual}`

    It is the loss of the metric since that stage: in percent of what it was, or in points.""",
    help="write `drop(map50, since = STAGE) <= 10 %` or `<= 3 points`",
)
BAD_UNIT = Rule(
    "GAT106",
    "error",
    """`{actual}` has no unit, so it is unclear whether the drop is relative or absolute

    A drop of 10 % of 0.70 leaves 0.63, a drop of 10 points leaves 0.60.""",
    help="write `{fix}`",
)

RULES = (FAILED, UNJUDGED, UNKNOWN_METRIC, NO_CONDITION, BAD_DROP, BAD_UNIT)

TRAINING_METRICS = ("map50", "map", "loss")
"""What every stage of training measures."""
NET_METRICS = ("params", "macs")
"""What the graph alone tells."""
FUNCTIONS = ("drop", "min", "max", "abs")

Condition = dict[str, Any]
Metrics = Mapping[str, float | int | None]

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
}  # fmt: skip


def read_gate(item: tree.Require, at: Reader, owner: str, stages: Mapping[str, str] | None = None) -> Gate | None:
    """The gate of a `require` line; None with findings where its condition cannot be one.

    `stages` maps the names by which a stage may be called here to ids (`float` -> `steps.float`).
    """
    writer = _Writer(at, stages or {})
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


class _Writer:
    """Turns an expression into a condition: what the scope knows becomes a value, the rest stays as a name."""

    def __init__(self, at: Reader, stages: Mapping[str, str]) -> None:
        self.at = at
        self.stages = stages

    def write(self, expr: tree.Expr) -> Condition | None:
        if isinstance(expr, tree.Name) and not self.at.bound(expr.id):
            return {"name": expr.id}
        if isinstance(expr, tree.Member):
            path = dotted(expr)
            if path is not None and not self.at.bound(path.split(".")[0]):
                stage, _, metric = path.rpartition(".")
                return {"name": f"{self.stages.get(stage, stage)}.{metric}"}
        if isinstance(expr, tree.Call) and isinstance(expr.function, tree.Name):
            if expr.function.id == "drop" and not self.at.bound("drop"):
                return self.drop(expr)
            if expr.function.id in FUNCTIONS and not expr.kwargs and self.waits(expr):
                args = [self.write(arg) for arg in expr.args]
                return None if None in args else {"call": expr.function.id, "args": args, "kwargs": {}}
        if isinstance(expr, tree.Binary) and expr.op == "in" and self.waits(expr.left):
            return self.membership(expr)
        if isinstance(expr, tree.Binary) and self.waits(expr):
            left, right = self.write(expr.left), self.write(expr.right)
            if left is None or right is None:
                return None
            for side, node in ((left, expr.right), (right, expr.left)):
                other = right if side is left else left
                if side.get("call") == "drop" and "value" in other and other.get("unit") is None:
                    fix = f"{self.at.text(node)} points"
                    return self.at.report(BAD_UNIT(node.span, actual=self.at.text(node), fix=fix)) and None
            return {"op": expr.op, "left": left, "right": right}
        if isinstance(expr, tree.Unary) and self.waits(expr):
            operand = self.write(expr.operand)
            return None if operand is None else {"op": "neg" if expr.op == "-" else "not", "operand": operand}
        return self.value(expr)

    def waits(self, expr: tree.Expr) -> bool:
        """Whether some name in `expr` is not known to the scope."""
        if isinstance(expr, tree.Name):
            return not self.at.bound(expr.id)
        if isinstance(expr, tree.Member):
            return self.waits(expr.object)
        if isinstance(expr, tree.Call):
            if isinstance(expr.function, tree.Name) and expr.function.id == "drop":
                return True
            return any(self.waits(arg) for arg in expr.args)
        if isinstance(expr, tree.Binary):
            return self.waits(expr.left) or self.waits(expr.right)
        return isinstance(expr, tree.Unary) and self.waits(expr.operand)

    def membership(self, expr: tree.Binary) -> Condition | None:
        """`x in LOW .. HIGH` and `x in [a, b]` as comparisons."""
        left, choices = self.write(expr.left), self.at.value(expr.right)
        if left is None or choices is MISSING:
            return None
        if isinstance(choices, Range):
            ends = [{"op": ">=", "left": left, "right": {"value": choices.low, "unit": None}}]
            ends += [{"op": "<=", "left": left, "right": {"value": choices.high, "unit": None}}]
            return {"op": "and", "left": ends[0], "right": ends[1]}
        plain = plain_value(choices)
        if not isinstance(plain, list) or not plain:
            return self.at.report(NO_CONDITION(expr.right.span, actual=self.at.text(expr.right))) and None
        equal: list[Condition] = [{"op": "==", "left": left, "right": {"value": v, "unit": None}} for v in plain]
        return reduce(lambda a, b: {"op": "or", "left": a, "right": b}, equal)

    def drop(self, call: tree.Call) -> Condition | None:
        since = next((kwarg.value for kwarg in call.kwargs if kwarg.name.id == "since"), None)
        rest = [kwarg for kwarg in call.kwargs if kwarg.name.id != "since"]
        if since is None and len(call.args) == 2:
            since = call.args[1]
        stage = dotted(since) if since is not None else None
        metric = call.args[0] if call.args else None
        if stage is None or rest or not isinstance(metric, tree.Name) or metric.id not in TRAINING_METRICS:
            return self.at.report(BAD_DROP(call.span, actual=self.at.text(call))) and None
        if stage not in self.stages:
            remedy = did_you_mean(stage, tuple(self.stages))
            assert since is not None
            return self.at.report(UNKNOWN_METRIC(since.span, actual=stage, remedy=remedy)) and None
        return {"call": "drop", "args": [{"name": metric.id}], "kwargs": {"since": {"name": self.stages[stage]}}}

    def value(self, expr: tree.Expr) -> Condition | None:
        value = self.at.value(expr)
        if value is MISSING:
            return None
        if isinstance(value, Quantity):
            unit = value.dimension if value.dimension in ("relative", "absolute") else None
            return {"value": value.value, "unit": unit}
        plain = plain_value(value)
        if plain is MISSING:
            return self.at.report(NO_CONDITION(expr.span, actual=self.at.text(expr))) and None
        return {"value": plain, "unit": None}


def is_condition(condition: Condition) -> bool:
    """Whether it gives true or false rather than a number."""
    if "op" in condition:
        return condition["op"] in (*_COMPARE, "and", "or", "not")
    return isinstance(condition.get("value"), bool)


def names_in(condition: Condition) -> list[str]:
    """The metrics it waits for, without the stages of `drop`."""
    if "name" in condition:
        return [condition["name"]]
    parts = [condition[key] for key in ("left", "right", "operand") if key in condition]
    return [name for part in (*parts, *condition.get("args", ())) for name in names_in(part)]


def stages_in(condition: Condition) -> list[str]:
    """Ids of the stages whose results it reads."""
    found = [kwarg["name"] for kwarg in condition.get("kwargs", {}).values() if "name" in kwarg]
    if "name" in condition:
        stage, dot, _ = condition["name"].rpartition(".")
        found += [stage] if dot else []
    parts = [condition[key] for key in ("left", "right", "operand") if key in condition]
    return found + [name for part in (*parts, *condition.get("args", ())) for name in stages_in(part)]


def evaluate_condition(condition: Condition, metrics: Metrics) -> Any:
    """Its value with `metrics`; None where something it needs is not there or not of the kind. `and` and `or` decide by one
    side where they can."""
    if "value" in condition:
        return condition["value"]
    if "name" in condition:
        return metrics.get(condition["name"])
    if "call" in condition:
        values = [evaluate_condition(arg, metrics) for arg in condition["args"]]
        if condition["call"] == "drop" or not values or not all(map(is_number, values)):
            return None
        return abs(values[0]) if condition["call"] == "abs" else {"min": min, "max": max}[condition["call"]](values)
    op = condition["op"]
    if "operand" in condition:
        value = evaluate_condition(condition["operand"], metrics)
        if op == "not":
            return not value if isinstance(value, bool) else None
        return -value if is_number(value) else None
    return _binary(op, evaluate_condition(condition["left"], metrics), evaluate_condition(condition["right"], metrics))


def _binary(op: str, left: Any, right: Any) -> Any:
    if op in ("and", "or"):
        decisive = op == "or"
        if left is decisive or right is decisive:
            return decisive
        return (not decisive) if left is right is (not decisive) else None
    if left is None or right is None:
        return None
    if op in ("==", "!="):
        return _COMPARE[op](left, right)
    if not (is_number(left) and is_number(right)) or (op in ("/", "//") and right == 0):
        return None
    try:
        return (_COMPARE.get(op) or _ARITHMETIC[op])(left, right)
    except OverflowError:
        return None


def judge(gates: Iterable[Gate], metrics: Metrics, *, known: Iterable[str] = ()) -> tuple[list[Gate], list[Finding]]:
    """The gates with their verdicts, and a finding for each that failed or is not judged yet.

    A metric that is None, or a name in `known`, exists but is not measured yet. Any other name is an error where a target
    has given its metrics, or where it looks misspelt; otherwise it may be a metric of a target that is not chosen yet.
    """
    judged: list[Gate] = []
    findings: list[Finding] = []
    names = {*metrics, *known, *TRAINING_METRICS, *NET_METRICS}
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

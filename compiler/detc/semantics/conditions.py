"""Conditions of `require` as plain data: written from expressions, asked for what they wait for, and evaluated.

The form is EXPR of ir/lock.md, so that a training run can judge with it what a check cannot.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from detc.diagnostics import Finding, Rule
from detc.semantics.reading import Reader, did_you_mean, plain_value
from detc.semantics.schema.kind import MISSING, dotted
from detc.semantics.values import Quantity, Range, is_number
from detc.syntax import tree

UNKNOWN_METRIC = Rule(
    "GAT103",
    "error",
    """nothing is called `{actual}` that a `require` could judge

    Known are the names of the scope, the metrics of the net and of the target, and those of training: map50, map,
    top1, top5, loss, and of a stage with `quantize events` event_rate, events, synops.""",
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

TRAINING_METRICS = ("map50", "map", "top1", "top5", "loss")
"""What stages of training measure: map50 and map of a detector, top1 and top5 of a classifier."""
EVENT_METRICS = ("event_rate", "events", "synops")
"""What stages that run in time measure besides: the share of neurons that send in a step (mean over steps and pictures),
events sent a step, and synaptic operations a step."""
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


class Writer:
    """Turns an expression into a condition: what the scope knows becomes a value, the rest stays as a name."""

    def __init__(self, at: Reader, stages: Mapping[str, str]) -> None:
        self.at = at
        self.stages = stages

    def refuse(self, finding: Finding) -> Condition | None:
        self.at.report(finding)
        return None

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
                    return self.refuse(BAD_UNIT(node.span, actual=self.at.text(node), fix=fix))
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
            return self.refuse(NO_CONDITION(expr.right.span, actual=self.at.text(expr.right)))
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
            return self.refuse(BAD_DROP(call.span, actual=self.at.text(call)))
        if stage not in self.stages:
            remedy = did_you_mean(stage, tuple(self.stages))
            assert since is not None
            return self.refuse(UNKNOWN_METRIC(since.span, actual=stage, remedy=remedy))
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
            return self.refuse(NO_CONDITION(expr.span, actual=self.at.text(expr)))
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

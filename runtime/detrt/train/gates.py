"""Judging `require` gates: a small interpreter over the conditions of the lock, which are plain data and never code.

A condition that names something unknown (a metric nobody measured, a stage that has not run) is unjudged, never passed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from detrt.lock import Gate

Verdict = Literal["passed", "failed", "unjudged"]
Metrics = Mapping[str, float]

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}
_FUNCTIONS: dict[str, Callable[[list[float]], float]] = {"min": min, "max": max, "abs": lambda numbers: abs(numbers[0])}


class Unjudged(Exception):
    """The condition needs what is not there; the text says what."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with what it measures: `relative` (10 %), `absolute` (1.5 points), or None."""

    value: float
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """`drop(m, since = s)`: relative when compared with a percentage, else the difference."""

    before: float
    now: float

    def measured_as(self, unit: str | None) -> float:
        difference = self.before - self.now
        if unit != "relative":
            return difference
        if self.before == 0:
            raise Unjudged("the stage compared with scored 0")
        return difference / self.before


@dataclass(frozen=True, slots=True)
class Judgement:
    gate: Gate
    verdict: Verdict
    detail: str

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return {"text": self.gate.text, "verdict": self.verdict, "detail": self.detail, "message": self.gate.message}

    def line(self) -> str:
        text = f"gate {self.verdict}: {self.gate.text}"
        if self.detail:
            text += f"  ({self.detail})"
        return f"{text}\n  {self.gate.message}" if self.verdict == "failed" and self.gate.message else text


def judge(gate: Gate, metrics: Metrics, stages: Mapping[str, Metrics]) -> Judgement:
    """The verdict on one gate after a stage: `metrics` are this stage's, `stages` those of every finished stage by
    name and id.
    """
    interpreter = _Interpreter(metrics, stages)
    try:
        passed = interpreter.truth(gate.condition)
    except Unjudged as reason:
        return Judgement(gate, "unjudged", str(reason))
    detail = ", ".join(f"{name} = {value:.4g}" for name, value in interpreter.seen.items())
    return Judgement(gate, "passed" if passed else "failed", detail)


def judge_all(gates: Sequence[Gate], metrics: Metrics, stages: Mapping[str, Metrics]) -> list[Judgement]:
    return [judge(gate, metrics, stages) for gate in gates]


class _Interpreter:
    def __init__(self, metrics: Metrics, stages: Mapping[str, Metrics]) -> None:
        self.metrics = metrics
        self.stages = stages
        self.seen: dict[str, float] = {}
        """Every value that was looked up, for the printed line."""

    def truth(self, expr: Mapping[str, Any]) -> bool:
        value = self.value(expr)
        if isinstance(value, bool):
            return value
        raise Unjudged("the condition is no comparison")

    def value(self, expr: Mapping[str, Any]) -> bool | Quantity | Drop:
        if "value" in expr:
            literal = expr["value"]
            return literal if isinstance(literal, bool) else Quantity(self.number_of(literal), expr.get("unit"))
        if "name" in expr:
            return Quantity(self.metric(expr["name"]))
        if "call" in expr:
            return self.call(expr)
        if "op" in expr:
            return self.operation(expr)
        raise Unjudged("a part of the condition is not understood")

    @staticmethod
    def number_of(value: Any) -> float:
        if isinstance(value, int | float):
            return float(value)
        raise Unjudged(f"{value!r} is no number")

    def metric(self, name: str) -> float:
        stage, dot, rest = name.rpartition(".")
        metrics = self.stage(stage) if dot else self.metrics
        key = rest if dot else name
        if key not in metrics:
            raise Unjudged(f"`{name}` was not measured")
        self.seen[name] = metrics[key]
        return metrics[key]

    def stage(self, name: str) -> Metrics:
        if name not in self.stages:
            raise Unjudged(f"stage `{name}` has no result yet")
        return self.stages[name]

    def operation(self, expr: Mapping[str, Any]) -> bool | Quantity:
        op = expr["op"]
        if op == "not":
            return not self.truth(expr["operand"])
        if op == "neg":
            operand = self.quantity(expr["operand"])
            return Quantity(-operand.value, operand.unit)
        if op == "and":
            return self.truth(expr["left"]) and self.truth(expr["right"])
        if op == "or":
            return self.truth(expr["left"]) or self.truth(expr["right"])
        if op in _COMPARISONS:
            left, right = self.value(expr["left"]), self.value(expr["right"])
            return _COMPARISONS[op](_against(left, right), _against(right, left))
        if op in _ARITHMETIC:
            first, second = self.quantity(expr["left"]), self.quantity(expr["right"])
            if op in ("/", "//", "%") and second.value == 0:
                raise Unjudged("a division by zero")
            return Quantity(_ARITHMETIC[op](first.value, second.value), first.unit or second.unit)
        raise Unjudged(f"`{op}` is not understood")

    def quantity(self, expr: Mapping[str, Any]) -> Quantity:
        value = self.value(expr)
        if isinstance(value, Drop):
            return Quantity(value.measured_as(None))
        if isinstance(value, Quantity):
            return value
        raise Unjudged("a truth value stands where a number is needed")

    def call(self, expr: Mapping[str, Any]) -> Quantity | Drop:
        name, args, kwargs = expr["call"], list(expr.get("args", [])), dict(expr.get("kwargs", {}))
        if name == "drop":
            since = kwargs.get("since") or (args[1] if len(args) > 1 else None)
            if not args or since is None or "name" not in args[0] or "name" not in since:
                raise Unjudged("drop needs a metric and `since = STAGE`")
            metric, before = args[0]["name"], self.stage(since["name"])
            if metric not in before:
                raise Unjudged(f"`{metric}` was not measured in `{since['name']}`")
            self.seen[f"{since['name']}.{metric}"] = before[metric]
            return Drop(before[metric], self.metric(metric))
        if name in _FUNCTIONS and args:
            numbers = [self.quantity(arg).value for arg in args]
            return Quantity(_FUNCTIONS[name](numbers))
        raise Unjudged(f"`{name}` is not understood")


def _against(value: bool | Quantity | Drop, other: bool | Quantity | Drop) -> float | bool:
    if isinstance(value, Drop):
        return value.measured_as(other.unit if isinstance(other, Quantity) else None)
    return value.value if isinstance(value, Quantity) else value

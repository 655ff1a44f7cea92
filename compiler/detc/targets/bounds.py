"""A target's facts as bounds: does a value keep one, how is it said, where do it and a node stand."""

from __future__ import annotations

from typing import Any

from detc.diagnostics import Related
from detc.diagnostics.finding import USED_HERE
from detc.ir.graph import Node
from detc.semantics.program import Fact

_COMPARE = {
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "==": lambda a, b: a == b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def holds(fact: Fact, value: Any) -> bool:
    """True if `value` keeps the bound. A pair keeps a bound on one number where both of its numbers do."""
    if fact.op == "in":
        return any(_equal(value, choice) for choice in choices(fact))
    if isinstance(value, tuple) and not isinstance(fact.value, tuple):
        return all(holds(fact, part) for part in value)
    return bool(_COMPARE[fact.op](value, fact.value))


def choices(fact: Fact) -> tuple[Any, ...] | range:
    """What an `in` bound allows: its list, or all whole numbers of its range."""
    value = fact.value
    if hasattr(value, "low") and hasattr(value, "high"):
        return range(int(value.low), int(value.high) + 1)
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def ends(fact: Fact) -> tuple[Any, Any]:
    """The least and the largest value that an `in` or `==` bound allows."""
    options = choices(fact)
    return (options[0], options[-1]) if isinstance(options, range) else (min(options), max(options))


def _equal(value: Any, choice: Any) -> bool:
    if isinstance(value, tuple) and not isinstance(choice, tuple):
        return all(part == choice for part in value)
    return bool(value == choice)


def words(value: Any) -> str:
    """A value as a reader says it: (3, 3) is 3x3, 31.0 is 31."""
    if isinstance(value, tuple):
        return "x".join(words(v) for v in value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def allowed(fact: Fact) -> str:
    """The bound in words: `3x3`, `at most 7`, `448, 224, 112 or 56`."""
    if fact.op == "in":
        options = choices(fact)
        if isinstance(options, range):
            return f"{options.start} .. {options.stop - 1}"
        said = [words(v) for v in options]
        return " or ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else "".join(said)
    prefix = {"<=": "at most ", ">=": "at least ", "<": "less than ", ">": "more than ", "!=": "not "}.get(fact.op, "")
    return prefix + words(fact.value)


def place(fact: Fact) -> Related:
    """The target's line that states the bound, for the second half of a finding."""
    return Related(fact.span, f"the limit ({fact.source})" if fact.source else "the limit (no source yet)")


def used_at(node: Node) -> tuple[Related, ...]:
    """The calls that led to a node, for findings inside a block."""
    return tuple(Related(span, USED_HERE) for span in node.via if span != node.span)

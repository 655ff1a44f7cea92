"""Operators on plain values: numbers, quantities with their dimensions, strings, words, lists."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from detc.diagnostics import Span
from detc.semantics import limits, rules
from detc.semantics.environment import Context
from detc.semantics.layers import FUNCTIONS, BlockFunction, OpFunction, Shared
from detc.semantics.values import (
    BROKEN,
    Dims,
    Entries,
    Group,
    Items,
    PathText,
    Quantity,
    Range,
    Symbol,
    Term,
    Value,
    describe,
    is_number,
)

Number = int | float

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip
_NUMERIC: dict[str, Callable[[Any, Any], Number]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b, "//": lambda a, b: a // b,
}  # fmt: skip
_EXAMPLE = {
    "bytes": "KiB", "bits": "bits", "seconds": "ms", "hertz": "MHz", "epochs": "epochs", "steps": "steps", "relative": "%",
    "absolute": "points", "images": "images", "joules": "mJ", "watts": "mW", "frames": "frames", "cycles": "cycles",
}  # fmt: skip


def combine(op: str, left: Value, right: Value, span: Span, context: Context) -> Value:
    """`left op right` for the operators + - * / // < <= > >= .. in; BROKEN with a finding where they do not go together."""
    if left is BROKEN or right is BROKEN:
        return BROKEN
    if op == "in":
        return _contains(left, right, span, context)
    if op == "..":
        return _range(left, right, span, context)
    if is_number(left) and is_number(right):
        return _ORDER[op](left, right) if op in _ORDER else number(op, left, right, span, context)
    if isinstance(left, Quantity) or isinstance(right, Quantity):
        return _measured(op, left, right, span, context)
    if op == "+" and isinstance(left, str) and isinstance(right, str):
        return text(left + right, span, context)
    if op == "+" and isinstance(left, list) and isinstance(right, list):
        return items([*left, *right], span, context)
    if op == "*" and isinstance(left, list) and isinstance(right, int) and not isinstance(right, bool) and right >= 0:
        if len(left) * right > limits.ITEMS:
            return context.refuse(rules.TOO_LARGE, span, what="the list", allowed=f"{limits.ITEMS:,} values")
        return items(left * right, span, context)
    if op in _ORDER and isinstance(left, str) and isinstance(right, str):
        return _ORDER[op](left, right)
    return wrong_operands(op, left, right, span, context)


def wrong_operands(op: str, left: Value, right: Value, span: Span, context: Context, remedy: str = "") -> Value:
    return context.refuse(
        rules.WRONG_OPERANDS,
        span,
        op=op,
        left=describe(left),
        right=describe(right),
        remedy=remedy,
        actual=describe(right),
    )


def number(op: str, left: Number, right: Number, span: Span, context: Context) -> Value:
    """Arithmetic on two bare numbers: `/` always gives a fraction, `//` the floor."""
    if op in ("/", "//") and right == 0:
        return context.refuse(rules.NO_VALUE, span, what=context.text(span), reason="it divides by zero")
    try:
        return sized(_NUMERIC[op](left, right), span, context)
    except OverflowError:
        return context.refuse(rules.TOO_LARGE, span, what="this number", allowed="2^63")


def sized(value: Number, span: Span | None, context: Context) -> Value:
    """The number itself, unless it is larger than any a detector needs, or no number."""
    if isinstance(value, int):
        if abs(value) < limits.INTEGER:
            return value
        return context.refuse(rules.TOO_LARGE, span, what="this whole number", allowed="2^63")
    if math.isfinite(value):
        return value
    return context.refuse(rules.TOO_LARGE, span, what="this number", allowed="a number can be")


def text(value: str, span: Span, context: Context) -> Value:
    if len(value) <= limits.TEXT:
        return value
    return context.refuse(rules.TOO_LARGE, span, what="this string", allowed=f"{limits.TEXT:,} characters")


def items(values: list[Value], span: Span, context: Context) -> Value:
    """A list of the language, within its limits."""
    return _bounded(Items(values), span, context)


def group(values: list[Value], span: Span, context: Context) -> Value:
    return _bounded(Group(values), span, context)


def entries(values: dict[str, Value], span: Span, context: Context) -> Value:
    return _bounded(Entries(values), span, context)


def _bounded(value: Items | Group | Entries, span: Span, context: Context) -> Value:
    if value.size > limits.ITEMS:
        return context.refuse(rules.TOO_LARGE, span, what="the list", allowed=f"{limits.ITEMS:,} values")
    if value.depth > limits.LIST_DEPTH:
        return context.refuse(
            rules.TOO_LARGE, span, what="the nesting of the list", allowed=f"{limits.LIST_DEPTH} levels"
        )
    return value


# ---- quantities -----------------------------------------------------------------------------------------------------


def _measured(op: str, left: Value, right: Value, span: Span, context: Context) -> Value:
    """At least one side has a unit. Sums and comparisons need one dimension; a number scales; a quotient of likes is a number."""
    if isinstance(left, Quantity) and isinstance(right, Quantity):
        if left.dimension != right.dimension:
            return context.refuse(
                rules.WRONG_DIMENSION, span, op=op, left=f"{left.dimension}", right=f"{right.dimension}",
                remedy=f"give both in {left.dimension}",
            )  # fmt: skip
        if op in _ORDER:
            return _ORDER[op](left.value, right.value)
        if op in ("+", "-"):
            return _quantity(number(op, left.value, right.value, span, context), left.dimension)
        if op in ("/", "//"):
            return number(op, left.value, right.value, span, context)
        return wrong_operands(op, left, right, span, context)
    bare, measured = (right, left) if isinstance(left, Quantity) else (left, right)
    if not is_number(bare):
        return wrong_operands(op, left, right, span, context)
    if measured.dimension == "relative" and op in _NUMERIC and op in ("*", "/"):
        # A share of a number is a number: 10 % * 50.
        share_first = isinstance(left, Quantity)
        a, b = (left.value, right) if share_first else (left, right.value)
        return number(op, a, b, span, context)
    if op == "*":
        return _quantity(number(op, bare, measured.value, span, context), measured.dimension)
    if op in ("/", "//") and isinstance(left, Quantity):
        return _quantity(number(op, left.value, right, span, context), left.dimension)
    unit = _EXAMPLE.get(measured.dimension, measured.dimension)
    return context.refuse(
        rules.MISSING_UNIT, span, what=f"one side of `{op}`", allowed=f"{measured.dimension}, like the other side",
        actual=describe(bare), fix=f"{describe(bare)} {unit}",
    )  # fmt: skip


def _quantity(value: Value, dimension: str) -> Value:
    return value if value is BROKEN else Quantity(value, dimension)


def _range(left: Value, right: Value, span: Span, context: Context) -> Value:
    if isinstance(left, Quantity) and isinstance(right, Quantity):
        if left.dimension == right.dimension:
            return Range(left.value, right.value, left.dimension)
        return _measured("..", left, right, span, context)
    if is_number(left) and is_number(right):
        return Range(left, right)
    if isinstance(left, Quantity) or isinstance(right, Quantity):
        return _measured("..", left, right, span, context)
    return wrong_operands("..", left, right, span, context)


def _contains(left: Value, right: Value, span: Span, context: Context) -> Value:
    if isinstance(right, Range):
        bare = is_number(left) and right.dimension
        if bare or (isinstance(left, Quantity) and left.dimension != right.dimension):
            return _measured("in", left, Quantity(right.low, right.dimension), span, context)
        return left in right
    if isinstance(right, (list, tuple)) and not isinstance(right, Dims):
        return any(equal(left, item) for item in right)
    return context.refuse(rules.NOT_A_LIST, span, what="`in`", actual=describe(right))


# ---- equality -------------------------------------------------------------------------------------------------------


def equal(left: Value, right: Value) -> bool:
    """Whether two values are the same: words equal strings, functions are equal where they do the same."""
    if isinstance(left, (Symbol, PathText)) or isinstance(right, (Symbol, PathText)):
        return _word(left) is not None and _word(left) == _word(right)
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, FUNCTIONS) and isinstance(right, FUNCTIONS):
        return _same_function(left, right)
    if isinstance(left, Term) and isinstance(right, Term):
        return left.name == right.name and equal(left.args, right.args) and equal(left.kwargs, right.kwargs)
    return bool(type(left) is type(right) or (is_number(left) and is_number(right))) and bool(left == right)


def _word(value: Value) -> str | None:
    if isinstance(value, Symbol):
        return value.name
    if isinstance(value, PathText):
        return value.text
    return value if isinstance(value, str) else None


def _same_function(left: Value, right: Value) -> bool:
    left = left.function if isinstance(left, Shared) else left
    right = right.function if isinstance(right, Shared) else right
    if left is right:
        return True
    if isinstance(left, OpFunction) and isinstance(right, OpFunction):
        return left.op is right.op and dict(left.given) == dict(right.given) and left.partial == right.partial
    if isinstance(left, BlockFunction) and isinstance(right, BlockFunction):
        bare = not (left.args or left.kwargs or right.args or right.kwargs)
        return bare and left.definition is right.definition
    return False

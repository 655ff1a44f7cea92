"""The functions that every spec can call on plain values: rounding, sums, lists, paths."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from detc.diagnostics import Span
from detc.semantics import rules
from detc.semantics.arithmetic import combine, group, items, sized
from detc.semantics.layers import FUNCTIONS, Native, OnHost, Repeat
from detc.semantics.values import BROKEN, PathText, Quantity, Range, Symbol, Value, describe, is_number, is_tensor_like

if TYPE_CHECKING:
    from detc.semantics.environment import Context, Environment

ANY_NUMBER = 1_000_000


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a library function: its arguments, where each stands, and the scope it is made in."""

    name: str
    args: tuple[Value, ...]
    kwargs: Mapping[str, Value]
    spans: tuple[Span, ...]
    span: Span
    scope: Environment

    @property
    def context(self) -> Context:
        return self.scope.context

    def wrong(self, index: int, allowed: str) -> Any:
        """The finding that argument `index` has the wrong kind."""
        return self.context.refuse(
            rules.WRONG_VALUE, self.spans[index], function=self.name, allowed=allowed, actual=describe(self.args[index])
        )

    def undefined(self, reason: str) -> Any:
        return self.context.refuse(rules.NO_VALUE, self.span, what=self.context.text(self.span), reason=reason)

    def number(self, index: int) -> Any:
        """Argument `index` as a number, BROKEN with a finding if it is none."""
        value = self.args[index]
        return value if is_number(value) else self.wrong(index, "a number")


def _rounding(rule: Callable[[float], int]) -> Callable[[Invocation], Value]:
    def call(at: Invocation) -> Value:
        value = at.args[0]
        if isinstance(value, Quantity):
            return Quantity(rule(value.value), value.dimension)
        return rule(value) if at.number(0) is not BROKEN else BROKEN

    return call


TIES: dict[str, Callable[[float], int]] = {
    "even": lambda x: round(x),
    "up": lambda x: math.floor(x + 0.5),
    "away": lambda x: int(math.copysign(math.floor(abs(x) + 0.5), x)),
}
"""Where a half goes: to the even neighbour (as in Python and IEEE 754), up, or away from zero (as in C's `round`)."""


def _round(at: Invocation) -> Value:
    ties = at.kwargs.get("ties", Symbol("even"))
    word = ties.name if isinstance(ties, Symbol) else ties
    if not isinstance(word, str) or word not in TIES:
        return at.context.refuse(
            rules.UNKNOWN_WORD, at.span, actual=describe(ties), name="ties", allowed=", ".join(TIES), remedy=""
        )
    return _rounding(TIES[word])(at)


def _log(at: Invocation) -> Value:
    x = at.number(0)
    base = at.number(1) if len(at.args) > 1 else math.e
    if x is BROKEN or base is BROKEN:
        return BROKEN
    if x <= 0 or base <= 0 or base == 1:
        return at.undefined("a logarithm is that of a number above 0")
    return math.log(x) if len(at.args) == 1 else math.log(x, base)


def _sqrt(at: Invocation) -> Value:
    x = at.number(0)
    if x is BROKEN:
        return BROKEN
    return math.sqrt(x) if x >= 0 else at.undefined("a root is that of a number not below 0")


def _exp(at: Invocation) -> Value:
    x = at.number(0)
    if x is BROKEN:
        return BROKEN
    return math.exp(x) if x < 700 else at.undefined("the result is too large")


def _abs(at: Invocation) -> Value:
    value = at.args[0]
    if isinstance(value, Quantity):
        return Quantity(abs(value.value), value.dimension)
    return abs(value) if at.number(0) is not BROKEN else BROKEN


def _divisible(at: Invocation) -> Value:
    """The nearest multiple of `by`, at least `by` and never below 90 % of x (the rounding of MobileNet's widths)."""
    x, by = at.number(0), at.number(1)
    if x is BROKEN or by is BROKEN:
        return BROKEN
    if not isinstance(by, int) or by < 1:
        return at.wrong(1, "a whole number of at least 1 to divide by")
    nearest = max(by, int(x + by / 2) // by * by)
    return sized(nearest + by if nearest < 0.9 * x else nearest, at.span, at.context)


def _many(at: Invocation) -> list[Value] | Any:
    """The values given, or those of the one list or range given."""
    only = at.args[0] if len(at.args) == 1 else None
    if isinstance(only, Range):
        bounds = (only.low, only.high)
        return [Quantity(b, only.dimension) if only.dimension else b for b in bounds]
    values = list(only) if isinstance(only, (list, tuple)) else list(at.args)
    if not values:
        return at.wrong(0, "at least one value")
    if not all(is_number(v) or isinstance(v, Quantity) for v in values):
        index = next(i for i, v in enumerate(values) if not (is_number(v) or isinstance(v, Quantity)))
        return at.wrong(index if len(at.args) > 1 else 0, "numbers, or a list of numbers")
    return values


def _extreme(op: str) -> Callable[[Invocation], Value]:
    def call(at: Invocation) -> Value:
        values = _many(at)
        if values is BROKEN:
            return BROKEN
        best = values[0]
        for value in values[1:]:
            better = combine(op, value, best, at.span, at.context)
            if better is BROKEN:
                return BROKEN
            best = value if better else best
        return best

    return call


def _sum(at: Invocation) -> Value:
    if at.args and at.args[0] == [] and len(at.args) == 1:
        return 0
    values = _many(at)
    if values is BROKEN:
        return BROKEN
    total = values[0]
    for value in values[1:]:
        total = combine("+", total, value, at.span, at.context)
    return total


def _len(at: Invocation) -> Value:
    value = at.args[0]
    if isinstance(value, (list, tuple, dict, str)):
        return len(value)
    if isinstance(value, Range) and isinstance(value.low, int) and isinstance(value.high, int):
        return max(0, value.high - value.low + 1)
    return at.wrong(0, "a list, a map, a range or a string")


def _zip(at: Invocation) -> Value:
    lists = at.args
    for index, value in enumerate(lists):
        if not isinstance(value, (list, tuple)):
            return at.wrong(index, "lists")
    if len({len(value) for value in lists}) > 1:
        lengths = " and ".join(str(len(value)) for value in lists)
        return at.undefined(f"the lists are of different lengths, {lengths}")
    rows = [group(list(row), at.span, at.context) for row in zip(*lists, strict=True)]
    return items(rows, at.span, at.context)


def _enumerate(at: Invocation) -> Value:
    value = at.args[0]
    if not isinstance(value, (list, tuple)):
        return at.wrong(0, "a list")
    return items([group([i, item], at.span, at.context) for i, item in enumerate(value)], at.span, at.context)


def _reverse(at: Invocation) -> Value:
    value = at.args[0]
    return items(list(value)[::-1], at.span, at.context) if isinstance(value, (list, tuple)) else at.wrong(0, "a list")


def _path(at: Invocation) -> Value:
    value = at.args[0]
    if not isinstance(value, str) or not value or "\0" in value:
        return at.wrong(0, 'a path in quotes, such as path("data/mine")')
    return PathText(value)


def _host(at: Invocation) -> Value:
    """`x |> host(f)` or `host(f)`: f runs on the host."""
    from detc.semantics.apply import apply

    function = at.args[-1]
    if not isinstance(function, FUNCTIONS):
        return at.wrong(len(at.args) - 1, "a layer, as in `x |> host(softmax)`")
    hosted = OnHost(function, function.span or at.span)
    if len(at.args) == 1:
        return hosted
    if not is_tensor_like(at.args[0]):
        return at.wrong(0, "a tensor, then a layer")
    return apply(hosted, [at.args[0]], at.span, at.scope)


def _chain(at: Invocation) -> Value:
    """`x |> chain(f, g, ..)`: the layers one after another, numbered from 0 as `f * n` numbers its rounds."""
    from detc.semantics.apply import apply

    piped = is_tensor_like(at.args[0])
    layers = at.args[1:] if piped else at.args
    for index, layer in enumerate(at.args):
        if not isinstance(layer, FUNCTIONS) and not (piped and index == 0):
            return at.wrong(index, "a layer, as in `x |> chain(conv(8), conv(16))`")
    if len(layers) < 2:
        return at.undefined("it needs two layers or more")
    chained = Repeat(layers[0], len(layers), at.span, tuple(layers[1:]))
    return apply(chained, [at.args[0]], at.span, at.scope) if piped else chained


BUILT_IN: tuple[Native, ...] = (
    Native("floor", _rounding(math.floor)),
    Native("ceil", _rounding(math.ceil)),
    Native("round", _round, keywords=("ties",), words=tuple(TIES)),
    Native("min", _extreme("<"), most=ANY_NUMBER),
    Native("max", _extreme(">"), most=ANY_NUMBER),
    Native("sum", _sum, most=ANY_NUMBER),
    Native("abs", _abs),
    Native("log", _log, most=2),
    Native("exp", _exp),
    Native("sqrt", _sqrt),
    Native("divisible", _divisible, least=2, most=2),
    Native("len", _len),
    Native("zip", _zip, least=2, most=16),
    Native("enumerate", _enumerate),
    Native("reverse", _reverse),
    Native("path", _path),
    Native("host", _host, most=2),
    Native("chain", _chain, least=2, most=ANY_NUMBER),
)

"""Conditions, `if` expressions, and what loops go over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from detc.diagnostics import Span
from detc.semantics import limits, rules
from detc.semantics.arithmetic import items
from detc.semantics.build import Builder, Place
from detc.semantics.environment import Environment
from detc.semantics.evaluate import Words, evaluate
from detc.semantics.values import BROKEN, Dims, Range, Value, describe
from detc.syntax import tree

_END = object()


def condition(expr: tree.Expr, scope: Environment, what: str = "the condition") -> bool | Any:
    """The truth of a condition; BROKEN with a finding if it is neither true nor false."""
    value = evaluate(expr, scope)
    if value is BROKEN or isinstance(value, bool):
        return value
    return scope.context.refuse(rules.NOT_BOOLEAN, expr.span, what=what, actual=describe(value))


def choice(expr: tree.Choice, scope: Environment, words: Words) -> Value:
    """`if a then b else if c then d else e`: a chain of any length without nesting."""
    branch: tree.Expr = expr
    while isinstance(branch, tree.Choice):
        verdict = condition(branch.condition, scope)
        if verdict is BROKEN:
            return BROKEN
        if verdict:
            branch = branch.yes
            break
        branch = branch.no
    return evaluate(branch, scope, words)


def elements(expr: tree.Expr, scope: Environment, what: str) -> Sequence[Value] | None:
    """The values that a loop goes over: those of a list, or the whole numbers of a range, both ends included. None with a
    finding for anything else."""
    value = evaluate(expr, scope)
    if value is BROKEN:
        return None
    if isinstance(value, (list, tuple)) and not isinstance(value, Dims):
        return value
    if isinstance(value, Range) and not value.dimension:
        low, high = value.low, value.high
        if isinstance(low, int) and isinstance(high, int):
            if high - low < limits.ITEMS:
                return range(low, high + 1)
            scope.context.refuse(rules.TOO_LARGE, expr.span, what="the range", allowed=f"{limits.ITEMS:,} values")
            return None
    scope.context.refuse(rules.NOT_A_LIST, expr.span, what=what, actual=describe(value))
    return None


def spread(names: Sequence[tree.Name], element: Value, scope: Environment, span: Span) -> bool:
    """Binds the names of a loop to one element; False with a finding where their numbers differ."""
    if len(names) == 1:
        scope.bind(names[0].id, element, names[0].span)
        return True
    parts = element if isinstance(element, (list, tuple)) else (element,)
    if len(parts) != len(names):
        listed = " and ".join(f"`{name.id}`" for name in names)
        scope.context.refuse(rules.WRONG_UNPACKING, span, names=listed, allowed=len(names), actual=describe(element))
        return False
    for name, part in zip(names, parts, strict=True):
        scope.bind(name.id, part, name.span)
    return True


def comprehension(expr: tree.Comprehension, scope: Environment, words: Words) -> Value:
    """`[element for names in source if condition]`; layers made in it are numbered from 0."""
    builder = scope.context.builder
    source = elements(expr.source, scope, "`for`")
    if source is None:
        return BROKEN
    produced = _each(expr, source, scope, words)
    values: list[Value] = []
    if builder is None:
        _gather(produced, values)
    else:
        with builder.inside(Place("list", "list", span=expr.span)) as place:
            _gather(_numbered(produced, builder, expr.element.span), values)
            place.value = values
    return BROKEN if any(value is BROKEN for value in values) else items(values, expr.span, scope.context)


def _gather(produced: Iterator[Value], values: list[Value]) -> None:
    """Appends what is produced until it is more than a list may hold, which `items` then says."""
    size = 0
    for value in produced:
        values.append(value)
        size += 1 + getattr(value, "size", 0)
        if size > limits.ITEMS:
            return


def _numbered(produced: Iterator[Value], builder: Builder, span: Span) -> Iterator[Value]:
    """The same values, the layers of each made in a place of its own."""
    while True:
        with builder.inside(Place("item", span=span)) as item:
            item.value = next(produced, _END)
        if item.value is _END:
            return
        yield item.value


def _each(expr: tree.Comprehension, source: Sequence[Value], scope: Environment, words: Words) -> Iterator[Value]:
    for element in source:
        scope.context.tick(expr.span)
        inner = scope.child()
        if not spread(expr.names, element, inner, expr.source.span):
            yield BROKEN
            return
        verdict = True if expr.condition is None else condition(expr.condition, inner, "the condition behind `if`")
        if verdict is BROKEN:
            yield BROKEN
            return
        if verdict:
            yield evaluate(expr.element, inner, words)

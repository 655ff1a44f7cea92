"""Turns values into what an op's argument holds: each kind of argument says what it takes, and the finding says it too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detc.ir.op import Argument
from detc.semantics import rules
from detc.semantics.environment import Context, remedy
from detc.semantics.layers import FUNCTIONS
from detc.semantics.values import (
    BROKEN,
    PathText,
    Quantity,
    Range,
    Symbol,
    Term,
    Value,
    describe,
    is_number,
    is_tensor_like,
)
from detc.semantics.words import PADDING, TERMS
from detc.syntax import tree

LARGEST = 2**31


class Refused(Exception):
    """Leaves a conversion; never leaves `convert`. `allowed` completes "takes .."."""

    def __init__(self, allowed: str, help: str = "") -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.help = help


def convert(argument: Argument, value: Value, expr: tree.Expr, function: str, context: Context) -> Any:
    """The plain value that the op gets for `argument`; BROKEN with a finding at `expr` where the kind is wrong."""
    if value is BROKEN:
        return BROKEN
    if value is None and not argument.required and argument.default is None:
        return None
    if argument.kind == "bits" and is_number(value):
        return context.refuse(
            rules.MISSING_UNIT, expr.span, what=f"`{argument.name}` of `{function}`", allowed="bits",
            actual=describe(value), fix=f"{describe(value)} bits",
        )  # fmt: skip
    if isinstance(value, Symbol) and argument.choices and value.name not in argument.choices:
        return _unknown_word(argument, value, expr, argument.choices, context)
    try:
        return _KINDS[argument.kind](value, argument, expr, function, context)
    except Refused as refused:
        return context.refuse(
            rules.WRONG_ARGUMENT, expr.span, function=function, name=argument.name, allowed=refused.allowed,
            actual=describe(value), remedy=refused.help,
        )  # fmt: skip


def _unknown_word(argument: Argument, word: Symbol, expr: tree.Expr, known: tuple[str, ...], context: Context) -> Any:
    return context.refuse(
        rules.UNKNOWN_WORD, expr.span, actual=word.name, name=argument.name, allowed=", ".join(known),
        remedy=remedy(word.name, known),
    )  # fmt: skip


def _whole(value: Value) -> int:
    """A whole number; 64.0 is one, since `64 * width` is how widths are scaled."""
    if is_number(value) and abs(value) < LARGEST and value == int(value):
        return int(value)
    fraction = is_number(value) and abs(value) < LARGEST
    raise Refused("a whole number", "round it: `divisible(x, 8)`, `floor(x)` or `round(x)`" if fraction else "")


def _int(value: Value, *_: Any) -> int:
    return _whole(value)


def _float(value: Value, *_: Any) -> int | float:
    if isinstance(value, Quantity) and value.dimension == "relative":
        return value.value
    if is_number(value):
        return value  # type: ignore[no-any-return]
    raise Refused("a number")


def _bool(value: Value, *_: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise Refused("true or false")


def _str(value: Value, *_: Any) -> str:
    if isinstance(value, str):
        return value
    raise Refused("a string")


def _dims(value: Value, *_: Any) -> tuple[int, int]:
    allowed = "a whole number or a pair such as `3x3`"
    if isinstance(value, (list, tuple)):
        if len(value) != 2 or not all(type(n) is int and abs(n) < LARGEST for n in value):
            raise Refused(allowed)
        return (value[0], value[1])
    try:
        n = _whole(value)
    except Refused as refused:
        raise Refused(allowed, refused.help) from None
    return (n, n)


def _pad(value: Value, *rest: Any) -> Any:
    if isinstance(value, (Symbol, str)):
        word = value.name if isinstance(value, Symbol) else value
        if word in PADDING:
            return word
        raise Refused(
            "`same`, `same_upper`, `valid`, a whole number, a pair such as `1x1`, or [top, left, bottom, right]"
        )
    if isinstance(value, (list, tuple)) and len(value) == 4 and all(type(n) is int and abs(n) < LARGEST for n in value):
        return tuple(value)
    pair = _dims(value, *rest)
    return pair[0] if pair[0] == pair[1] else pair


def _name(value: Value, argument: Argument, *_: Any) -> str:
    word = value.name if isinstance(value, (Symbol, *FUNCTIONS)) else value
    if isinstance(word, str) and word in argument.choices:
        return word
    raise Refused(
        f"one of {', '.join(argument.choices)}", remedy(word, argument.choices) if isinstance(word, str) else ""
    )


def _bits(value: Value, *_: Any) -> int:
    if isinstance(value, Quantity) and value.dimension == "bits":
        return _whole(value.value)
    raise Refused("a number of bits")


def _steps(value: Value, *_: Any) -> int:
    if isinstance(value, Quantity):
        if value.dimension != "steps":
            raise Refused("a whole number of steps")
        value = value.value
    return _whole(value)


def _term(value: Value, argument: Argument, expr: tree.Expr, function: str, context: Context) -> Any:
    """`masked(3 bits)` as ("masked", 3)."""
    known = TERMS[argument.kind]
    shown = ", ".join(f"`{name}({', '.join(a.name for a in parts)})`" for name, parts in known.items())
    if isinstance(value, Symbol):
        value = Term(value.name, span=value.span)
    if not isinstance(value, Term):
        raise Refused(f"one of {shown}")
    if value.name not in known:
        return _unknown_word(argument, Symbol(value.name), expr, tuple(known), context)
    return _filled(value, known[value.name], expr, context)


def _filled(term: Term, slots: tuple[Argument, ...], expr: tree.Expr, context: Context) -> Any:
    """The term's name and its arguments in the order of `slots`."""
    at: list[Any] = [_At(span) for span in term.spans] or [expr]
    values: dict[str, Any] = {}
    order = [slot for slot in slots if not slot.keyword]
    for index, value in enumerate(term.args):
        if index >= len(order):
            return context.refuse(
                rules.TOO_MANY_ARGUMENTS, at[index].span, function=term.name, actual=len(term.args), remedy="",
                allowed=f"{len(order)} by order",
            )  # fmt: skip
        values[order[index].name] = convert(order[index], value, at[index], term.name, context)
    for index, (name, value) in enumerate(term.kwargs, start=len(term.args)):
        slot = next((slot for slot in slots if slot.name == name), None)
        if slot is None or name in values:
            rule = rules.UNKNOWN_ARGUMENT if slot is None else rules.DOUBLED_ARGUMENT
            hint = remedy(name, [s.name for s in slots])
            return context.refuse(rule, at[index].span, function=term.name, name=name, remedy=hint)
        values[name] = convert(slot, value, at[index], term.name, context)
    for slot in slots:
        if slot.name in values:
            continue
        if slot.required:
            fix = f"write `{term.name}({slot.name})`"
            return context.refuse(rules.MISSING_ARGUMENT, expr.span, function=term.name, name=slot.name, remedy=fix)
        values[slot.name] = slot.default
    if any(value is BROKEN for value in values.values()):
        return BROKEN
    return (term.name, *(values[slot.name] for slot in slots))


class _At:
    """A place to report at, where only the span of an expression is left."""

    __slots__ = ("span",)

    def __init__(self, span: Any) -> None:
        self.span = span


def _expr(value: Value, *_: Any) -> Any:
    if is_tensor_like(value) or isinstance(value, FUNCTIONS):
        raise Refused("a plain value")
    return _fixed(value)


def _fixed(value: Value) -> Any:
    """Plain data that does not change, as ops hold it."""
    if isinstance(value, (list, tuple)):
        return tuple(_fixed(item) for item in value)
    if isinstance(value, Quantity):
        return value.value
    if isinstance(value, Range):
        return (value.low, value.high)
    if isinstance(value, Symbol):
        return value.name
    if isinstance(value, PathText):
        return value.text
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise Refused("numbers, words, strings or lists of them")


_KINDS: dict[str, Callable[..., Any]] = {
    "int": _int, "float": _float, "bool": _bool, "str": _str, "dims": _dims, "pad": _pad, "name": _name, "bits": _bits,
    "steps": _steps, "scheme": _term, "init": _term, "expr": _expr,
}  # fmt: skip

"""`input frame: u8[3, 448, 448] = camera(order = bgr)`: what enters a model and how pictures are encoded."""

from __future__ import annotations

from typing import Any

from detc.diagnostics import Span
from detc.ir.ops.source import Input
from detc.ir.types import BITS
from detc.semantics import limits, model_rules, rules
from detc.semantics.environment import Environment, remedy
from detc.semantics.evaluate import ANY_WORD, evaluate
from detc.semantics.values import BROKEN, Quantity, Symbol, Term, Value, describe, is_number
from detc.syntax import tree

ORDERS = ("bgr", "rgb", "ycrcb")
OPTIONS = ("order", "mean", "std", "scale")
SOURCES = {"camera": OPTIONS, "frames": (*OPTIONS, "steps"), "events": ("steps",)}
"""What enters, and the options of each: pictures, clips of pictures, clips of an event camera."""
MOST_STEPS = 10_000


def read_input(item: tree.Typed, scope: Environment) -> tuple[Input, dict[str, Span]] | None:
    """The input op of an `input` item and where its options stand; None with findings.

    Pictures are encoded as (x / scale - mean) / std. Without any of the three they come as 0 .. 1 (scale 255);
    `scale = raw` leaves them 0 .. 255, and so does a mean or std alone. Counts of events are left as they are.
    """
    shape = _shape(item.type, scope)
    options = _options(item, scope)
    if shape is None or options is None:
        return None
    source, values, spans = options
    if source == "events":
        values |= {"order": "events", "scale": 1.0}
        if shape[0] != 2:
            at = item.type.args[0].span
            scope.context.refuse(
                model_rules.BAD_INPUT, at, allowed="of 2 channels for events (brighter, darker)", actual=f"{shape[0]}", remedy=""
            )  # fmt: skip
            return None
    given = any(name in values for name in ("mean", "std", "scale"))
    channels = shape[0]
    good = True
    for name in ("mean", "std"):
        count = len(values.get(name, ()))
        if count == 1:
            values[name] = values[name] * channels
        elif count not in (0, channels):
            good = False
            scope.context.refuse(
                model_rules.BAD_INPUT, spans[name], allowed=f"given one {name} a channel, {channels} in all", actual=f"{count}",
                remedy="",
            )  # fmt: skip
    if not good:
        return None
    op = Input(
        shape=shape,
        dtype=item.type.name.id,
        order=values.get("order", "bgr"),
        mean=values.get("mean", ()),
        std=values.get("std", ()),
        scale=values.get("scale", 1.0 if given else 255.0),
        steps=values.get("steps"),
    )
    return op, spans


def _shape(type: tree.Type, scope: Environment) -> tuple[int, ...] | None:
    context = scope.context
    if type.name.id not in BITS:
        context.refuse(
            model_rules.BAD_INPUT, type.name.span, allowed=f"of a dtype among {', '.join(BITS)}", actual=f"`{type.name.id}`",
            remedy=remedy(type.name.id, BITS),
        )  # fmt: skip
    sides = [evaluate(arg, scope) for arg in type.args]
    if any(side is BROKEN for side in sides) or type.name.id not in BITS:
        return None
    if len(sides) != 3:
        context.refuse(
            model_rules.BAD_INPUT, type.span, allowed="a map of channels, height and width", actual=f"of {len(sides)} axes",
            remedy="write `u8[3, 224, 224]`",
        )  # fmt: skip
        return None
    for side, arg in zip(sides, type.args, strict=True):
        whole = is_number(side) and side == int(side)
        if not whole or not 1 <= side <= limits.AXIS:
            context.refuse(
                model_rules.BAD_INPUT,
                arg.span,
                allowed=f"1 .. {limits.AXIS} long on each axis",
                actual=describe(side),
                remedy="",
            )
            return None
    return tuple(int(side) for side in sides)


def _options(item: tree.Typed, scope: Environment) -> tuple[str, dict[str, Any], dict[str, Span]] | None:
    """The word of the source, its options and where they stand."""
    context = scope.context
    if item.value is None:
        return "camera", {}, {}
    value = evaluate(item.value, scope, ANY_WORD)
    if value is BROKEN:
        return None
    if isinstance(value, Symbol):
        value = Term(value.name, span=value.span)
    if not isinstance(value, Term) or value.name not in SOURCES:
        actual = value.name if isinstance(value, Term) else describe(value)
        context.refuse(
            rules.UNKNOWN_WORD, item.value.span, actual=actual, name="input", allowed=", ".join(SOURCES),
            remedy=remedy(actual, SOURCES),
        )  # fmt: skip
        return None
    known = SOURCES[value.name]
    values: dict[str, Any] = {}
    spans: dict[str, Span] = {}
    good = True
    if value.args:
        good = False
        context.refuse(
            rules.TOO_MANY_ARGUMENTS, value.spans[0], function=value.name, allowed="named arguments only",
            actual=len(value.args), remedy=f"its arguments are {', '.join(known)}",
        )  # fmt: skip
    for (name, option), span in zip(value.kwargs, value.spans[len(value.args) :], strict=True):
        if name not in known:
            good = False
            context.refuse(
                rules.UNKNOWN_ARGUMENT, span, function=value.name, name=name, remedy=remedy(name, known),
                label="not an argument",
            )  # fmt: skip
            continue
        if name in values:
            good = False
            context.refuse(rules.DOUBLED_ARGUMENT, span, function=value.name, name=name)
            continue
        spans[name] = span
        values[name] = _option(value.name, name, option, span, scope)
        good = good and values[name] is not BROKEN
    if "steps" in known and "steps" not in values and good:
        good = False
        context.refuse(
            rules.MISSING_ARGUMENT, item.value.span, function=value.name, name="steps",
            remedy=f"write `{value.name}(steps = 32)`, the length of a clip",
        )  # fmt: skip
    return (value.name, values, spans) if good else None


def _option(source: str, name: str, value: Value, span: Span, scope: Environment) -> Any:
    def wrong(allowed: str, help: str = "") -> Any:
        return scope.context.refuse(
            rules.WRONG_ARGUMENT, span, function=source, name=name, allowed=allowed, actual=describe(value), remedy=help
        )

    if name == "order":
        word = value.name if isinstance(value, Symbol) else value
        known = isinstance(word, str) and word in ORDERS
        return word if known else wrong(f"one of {', '.join(ORDERS)}", remedy(str(word), ORDERS))
    if name == "steps":
        count = value.value if isinstance(value, Quantity) and value.dimension == "steps" else value
        whole = is_number(count) and count == int(count) and 1 <= count <= MOST_STEPS
        return int(count) if whole else wrong(f"a whole number of 1 .. {MOST_STEPS}")
    if name == "scale":
        if isinstance(value, Symbol) and value.name == "raw":
            return 1.0
        return float(value) if is_number(value) and value > 0 else wrong("a number above 0, or `raw`")
    numbers = list(value) if isinstance(value, (list, tuple)) else [value]
    if not numbers or not all(is_number(n) and not isinstance(n, Quantity) for n in numbers):
        return wrong("a number, or a list of one number a channel")
    if name == "std" and not all(n > 0 for n in numbers):
        return wrong("numbers above 0")
    return tuple(float(n) for n in numbers)

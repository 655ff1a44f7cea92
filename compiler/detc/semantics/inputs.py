"""`input frame: u8[3, 448, 448] = camera(order = bgr)`: what enters a model and how pictures are encoded."""

from __future__ import annotations

from typing import Any

from detc.diagnostics import Related, Span
from detc.ir.ops.source import CHANNELS, Input
from detc.ir.types import BITS
from detc.semantics import limits, model_rules, rules
from detc.semantics.environment import Environment, remedy
from detc.semantics.evaluate import ANY_WORD, evaluate
from detc.semantics.input_options import SOURCES, read_option
from detc.semantics.values import BROKEN, Symbol, Term, describe, is_number
from detc.syntax import tree

WITHOUT_EFFECT = {"pad": ("letterbox",), "place": ("letterbox", "crop")}
"""Options that mean something only with some words of `resize`."""


def read_input(item: tree.Typed, scope: Environment) -> tuple[Input, dict[str, Span]] | None:
    """The input op of an `input` item and where its options stand; None with findings.

    Pictures are encoded as (x / scale + offset - mean) / std. Without any of the four they come as 0 .. 1 (scale 255);
    `scale = raw` leaves them 0 .. 255, and so does an offset, mean or std alone. Counts of events are left as they are.
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
    given = any(name in values for name in ("mean", "std", "scale", "offset"))
    channels = shape[0]
    good = item.value is None or source == "events" or _has_channels_of_order(item, shape[0], values, spans, scope)
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
    _tell_without_effect(values, spans, scope)
    op = Input(
        shape=shape,
        dtype=item.type.name.id,
        order=values.get("order", "bgr"),
        mean=values.get("mean", ()),
        std=values.get("std", ()),
        scale=values.get("scale", 1.0 if given else 255.0),
        steps=values.get("steps"),
        offset=values.get("offset", 0.0),
        **{name: values[name] for name in ("resize", "interpolation", "pad", "place") if name in values},
    )
    return op, spans


def _has_channels_of_order(
    item: tree.Typed, channels: int, values: dict[str, Any], spans: dict[str, Span], scope: Environment
) -> bool:
    """Whether pictures of this order have so many channels; an order that is not given follows from them."""
    fitting = [order for order, count in CHANNELS.items() if count == channels]
    if fitting:
        values.setdefault("order", fitting[0])
    order = values.get("order", "bgr")
    if order in fitting:
        return True
    related = (Related(spans["order"], f"{order} has {CHANNELS[order]}"),) if "order" in spans else ()
    scope.context.refuse(
        model_rules.BAD_INPUT, item.type.args[0].span, allowed=f"of {CHANNELS[order]} channels for pictures in {order}",
        actual=f"{channels}", remedy=f"write `order = {fitting[0]}`" if fitting else "", related=related,
    )  # fmt: skip
    return False


def _tell_without_effect(values: dict[str, Any], spans: dict[str, Span], scope: Environment) -> None:
    mode = values.get("resize", "stretch")
    for name, modes in WITHOUT_EFFECT.items():
        if name in values and mode not in modes:
            fix = f"write `resize = {modes[0]}` beside it, or leave it out"
            scope.context.refuse(model_rules.WITHOUT_EFFECT, spans[name], name=name, actual=mode, remedy=fix)


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
        values[name] = read_option(value.name, name, option, span, scope)
        good = good and values[name] is not BROKEN
    if "steps" in known and "steps" not in values and good:
        good = False
        context.refuse(
            rules.MISSING_ARGUMENT, item.value.span, function=value.name, name="steps",
            remedy=f"write `{value.name}(steps = 32)`, the length of a clip",
        )  # fmt: skip
    return (value.name, values, spans) if good else None

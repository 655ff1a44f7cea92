"""The options of `camera(..)`, `frames(..)` and `events(..)`: their words, and how each value is read."""

from __future__ import annotations

from typing import Any

from detc.diagnostics import Span
from detc.ir.ops.source import CHANNELS
from detc.semantics import rules
from detc.semantics.environment import Environment, remedy
from detc.semantics.values import Quantity, Symbol, Value, describe, is_number

PICTURES = ("order", "mean", "std", "scale", "offset", "resize", "interpolation", "pad", "place")
SOURCES = {"camera": PICTURES, "frames": (*PICTURES, "steps"), "events": ("steps",)}
"""What enters, and the options of each: pictures, clips of pictures, clips of an event camera."""
MOST_STEPS = 10_000

WORDS: dict[str, tuple[str, ...]] = {
    "order": tuple(CHANNELS),
    "resize": ("stretch", "letterbox", "crop"),
    "interpolation": ("nearest", "bilinear", "bicubic", "area"),
    "place": ("center", "topleft"),
}
"""Options that take one of a few words."""

ELSEWHERE = {
    "fit": "stretch",
    "padding": "letterbox",
    "pad": "letterbox",
    "linear": "bilinear",
    "cubic": "bicubic",
    "gray": "grayscale",
    "grey": "grayscale",
    "greyscale": "grayscale",
    "ycbcr": "ycrcb",
    "centre": "center",
    "top_left": "topleft",
}
"""Other tools' words for ours."""


def read_option(source: str, name: str, value: Value, span: Span, scope: Environment) -> Any:
    """The plain value of option `name`; BROKEN with a finding at `span`."""

    def wrong(allowed: str, help: str = "") -> Any:
        return scope.context.refuse(
            rules.WRONG_ARGUMENT, span, function=source, name=name, allowed=allowed, actual=describe(value), remedy=help
        )

    if name in WORDS:
        word = value.name if isinstance(value, Symbol) else value
        if isinstance(word, str) and word in WORDS[name]:
            return word
        meant = ELSEWHERE.get(str(word))
        help = f"write `{meant}`" if meant in WORDS[name] else remedy(str(word), WORDS[name])
        return wrong(f"one of {', '.join(WORDS[name])}", help)
    if name == "steps":
        count = value.value if isinstance(value, Quantity) and value.dimension == "steps" else value
        whole = is_number(count) and count == int(count) and 1 <= count <= MOST_STEPS
        return int(count) if whole else wrong(f"a whole number of 1 .. {MOST_STEPS}")
    if name == "pad":
        return int(value) if is_number(value) and value in range(256) else wrong("a grey level of 0 .. 255")
    if name == "scale":
        if isinstance(value, Symbol) and value.name == "raw":
            return 1.0
        return float(value) if is_number(value) and value > 0 else wrong("a number above 0, or `raw`")
    if name == "offset":
        return float(value) if is_number(value) and not isinstance(value, Quantity) else wrong("a number")
    numbers = list(value) if isinstance(value, (list, tuple)) else [value]
    if not numbers or not all(is_number(n) and not isinstance(n, Quantity) for n in numbers):
        return wrong("a number, or a list of one number a channel")
    if name == "std" and not all(n > 0 for n in numbers):
        return wrong("numbers above 0")
    return tuple(float(n) for n in numbers)

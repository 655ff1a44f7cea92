"""Numbers out of label files, where anything may stand."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

FARTHEST = 1e7
"""Pixels beyond which a coordinate is no coordinate; float32 would round it to whole pixels anyway."""


def finite(value: Any, farthest: float = FARTHEST) -> float | None:
    """A number or its text as a float, None for anything else, for infinity, and for what lies beyond `farthest`."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) and abs(number) <= farthest else None


def all_finite(values: Any, count: int) -> tuple[float, ...] | None:
    """`count` numbers, or None if there are not exactly so many of them."""
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != count:
        return None
    numbers = [finite(value) for value in values]
    return tuple(n for n in numbers if n is not None) if None not in numbers else None


def side(value: Any) -> int:
    """Width or height in pixels, 0 where none is stated."""
    number = finite(value)
    return int(number) if number is not None and number >= 1 else 0

"""One step of a stage's `augment` list: its name, its probability and its ranges, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detrt.errors import DetrtError


@dataclass(frozen=True, slots=True)
class Span:
    """A range [low, high] inside `low` .. `high`."""

    low: float
    high: float
    default: tuple[float, float]

    def read(self, value: Any) -> tuple[float, float] | None:
        pair = _numbers(value)
        return pair if pair and len(pair) == 2 and self.low <= pair[0] <= pair[1] <= self.high else None

    def __str__(self) -> str:
        return f"a range [low, high] inside {self.low:g} .. {self.high:g}"


@dataclass(frozen=True, slots=True)
class Shares:
    """A list of numbers 0 .. 1, at least one."""

    default: tuple[float, ...]

    def read(self, value: Any) -> tuple[float, ...] | None:
        found = _numbers(value)
        return found if found and len(found) <= 100 and all(0 <= v <= 1 for v in found) else None

    def __str__(self) -> str:
        return "a list of numbers 0 .. 1"


@dataclass(frozen=True, slots=True)
class Count:
    low: int
    high: int
    default: int

    def read(self, value: Any) -> int | None:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return value if whole and self.low <= value <= self.high else None

    def __str__(self) -> str:
        return f"a whole number {self.low} .. {self.high}"


@dataclass(frozen=True, slots=True)
class Flag:
    default: bool

    def read(self, value: Any) -> bool | None:
        return value if isinstance(value, bool) else None

    def __str__(self) -> str:
        return "true or false"


Option = Span | Shares | Count | Flag

KNOWN: dict[str, dict[str, Option]] = {
    "mosaic": {"scale": Span(0.05, 20, (0.5, 1.5))},
    "mixup": {"scale": Span(0.05, 20, (0.5, 1.5))},
    "flip": {},
    "hsv": {"range": Span(0, 10, (1.0, 1.0))},
    "photometric": {
        "brightness": Span(-255, 255, (-32, 32)),
        "contrast": Span(0, 10, (0.5, 1.5)),
        "saturation": Span(0, 10, (0.5, 1.5)),
        "hue": Span(-180, 180, (-18, 18)),
        "swap": Flag(True),
    },
    "scale": {"range": Span(0.05, 20, (1.0, 1.0))},
    "shift": {"range": Span(-1, 1, (0.0, 0.0))},
    "crop": {"range": Span(0.01, 1, (1.0, 1.0))},
    "affine": {
        "degrees": Span(-180, 180, (-10, 10)),
        "translate": Span(-1, 1, (-0.1, 0.1)),
        "scale": Span(0.05, 20, (1.0, 1.0)),
        "shear": Span(-60, 60, (-2, 2)),
    },
    "zoom_out": {"range": Span(1, 20, (1, 4))},
    "ssd_crop": {
        "ious": Shares((0.0, 0.1, 0.3, 0.5, 0.7, 0.9)),
        "range": Span(0.01, 1, (0.3, 1.0)),
        "aspect": Span(0.01, 100, (0.5, 2.0)),
    },
    "resized_crop": {"area": Span(0.0001, 1, (0.08, 1.0)), "aspect": Span(0.01, 100, (0.75, 1.3333))},
    "blur": {"kernel": Count(1, 99, 5)},
}
"""Every step with its options, `p` left out; the page of the lock says what they do."""


@dataclass(frozen=True, slots=True)
class Step:
    """Done with probability `p`; `values` holds every option of the step."""

    name: str
    p: float
    values: Mapping[str, Any]

    def span(self, key: str) -> tuple[float, float]:
        low, high = self.values[key]
        return low, high

    def numbers(self, key: str) -> tuple[float, ...]:
        return tuple(self.values[key])

    def count(self, key: str) -> int:
        return int(self.values[key])

    def flag(self, key: str) -> bool:
        return bool(self.values[key])

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Step:
        """From an entry of the lock's `augment`. Raises DetrtError for an unknown step or a value out of bounds."""
        given = dict(entry)
        name = str(given.pop("name", ""))
        place = f"augment.{name}"
        if name not in KNOWN:
            raise DetrtError(f"no augmentation `{name}`", "augment", f"known: {', '.join(KNOWN)}")
        p = given.pop("p", 0.5)
        if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0 <= p <= 1:
            raise DetrtError(f"the probability of `{name}` is {p!r}, not a number 0 .. 1", place)
        options = KNOWN[name]
        unknown = sorted(set(given) - set(options))
        if unknown:
            known = ", ".join(sorted({"p", *options}))
            raise DetrtError(f"`{name}` has no `{unknown[0]}`", place, f"known: {known}")
        values: dict[str, Any] = {}
        for key, option in options.items():
            values[key] = option.read(given[key]) if key in given else option.default
            if values[key] is None:
                raise DetrtError(f"`{key}` of `{name}` takes {option}, not {given[key]!r}", place)
        return cls(name, float(p), values)


def _numbers(value: Any) -> tuple[float, ...] | None:
    if not isinstance(value, (list, tuple)):
        return None
    good = all(isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in value)
    return tuple(float(v) for v in value) if good else None

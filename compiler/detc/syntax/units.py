"""The units a quantity may carry: what each measures and its size in the base unit of that dimension.

Decimal and binary prefixes are told apart (1 kB = 1000 B, 1 KiB = 1024 B). `%` is a relative share, `points` an absolute one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """A quantity's value times `factor` is its size in base units (bytes, hertz, seconds, joules, watts, 1)."""

    dimension: str
    factor: int | float


def _prefixed(unit: str, dimension: str, **prefixes: int | float) -> dict[str, Unit]:
    return {prefix + unit: Unit(dimension, factor) for prefix, factor in prefixes.items()}


_KILO, _MEGA, _GIGA, _TERA = 1_000, 1_000_000, 1_000_000_000, 1_000_000_000_000
_BYTES: dict[str, int | float] = {
    "B": 1, "kB": _KILO, "MB": _MEGA, "GB": _GIGA, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}  # fmt: skip

UNITS: dict[str, Unit] = {
    **{unit: Unit("bytes", factor) for unit, factor in _BYTES.items()},
    **{f"{unit}/s": Unit("bytes_per_second", factor) for unit, factor in _BYTES.items()},
    **{"Hz": Unit("hertz", 1)}, **_prefixed("Hz", "hertz", k=_KILO, M=_MEGA, G=_GIGA),
    **{"h": Unit("seconds", 3600), "min": Unit("seconds", 60), "s": Unit("seconds", 1)},
    **_prefixed("s", "seconds", m=1e-3, u=1e-6, n=1e-9, p=1e-12),
    **{"J": Unit("joules", 1)}, **_prefixed("J", "joules", m=1e-3, u=1e-6, n=1e-9, p=1e-12),
    **{"W": Unit("watts", 1)}, **_prefixed("W", "watts", m=1e-3, u=1e-6),
    **{"MAC": Unit("macs", 1)}, **_prefixed("MAC", "macs", k=_KILO, M=_MEGA, G=_GIGA, T=_TERA),
    **{"OPS": Unit("ops", 1)}, **_prefixed("OPS", "ops", k=_KILO, M=_MEGA, G=_GIGA, T=_TERA),
    **{name: Unit("bits", 1) for name in ("bit", "bits")},
    "fps": Unit("frames_per_second", 1),
    "px": Unit("pixels", 1),
    "deg": Unit("degrees", 1),
    **{name: Unit("epochs", 1) for name in ("epoch", "epochs")},
    **{name: Unit("steps", 1) for name in ("step", "steps")},
    **{name: Unit("images", 1) for name in ("image", "images")},
    **{name: Unit("frames", 1) for name in ("frame", "frames")},
    **{name: Unit("cycles", 1) for name in ("cycle", "cycles")},
    "%": Unit("relative", 0.01),
    **{name: Unit("absolute", 0.01) for name in ("point", "points")},
}  # fmt: skip

_QUANTITY = re.compile(r"([0-9_.]+(?:[eE][+-]?[0-9]+)?)[ \t]*(.*)")


def split_quantity(text: str) -> tuple[str, str]:
    """Number and unit of a quantity as written: `640KiB` is ("640", "KiB")."""
    match = _QUANTITY.fullmatch(text)
    return (match[1], match[2]) if match else (text, "")

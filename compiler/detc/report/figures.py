"""Numbers as a reader wants them: thousands apart, bytes in KiB and MiB, large counts in M and G."""

from __future__ import annotations


def count(value: float) -> str:
    """6525278 -> 6,525,278"""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def short(value: float) -> str:
    """11574097920 -> 11.57 G: for headlines; tables and JSON carry the exact number."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if letter == 'k' else limit):.2f} {letter}"
    return count(value)


def size(value: float) -> str:
    """Bytes: 6899348 -> 6.58 MiB"""
    if abs(value) >= 1 << 20:
        return f"{value / (1 << 20):.2f} MiB"
    return f"{value / 1024:.1f} KiB" if abs(value) >= 1024 else f"{value:.0f} B"


def amount(value: float, unit: str) -> str:
    return size(value) if unit == "B" else f"{count(value)} {unit}".rstrip()


def shape(value: object) -> str:
    """[3, 448, 448] -> 3 x 448 x 448"""
    return " x ".join(map(str, value)) if isinstance(value, list | tuple) else ""

"""The layer table: the same rows for the terminal and the HTML page."""

from __future__ import annotations

from typing import Any

from detc.report.figures import count, shape

Row = dict[str, Any]

COMMON = (
    "name",
    "op",
    "kernel",
    "stride",
    "padding",
    "groups",
    "bias",
    "in_shape",
    "out_shape",
    "params",
    "macs",
    "span",
)
"""What every row has; all other keys are the target's."""

_TITLES = {"name": "layer", "kernel": "k", "in_shape": "in", "out_shape": "out"}


def target_columns(rows: list[Row]) -> list[str]:
    """The keys that the target added, in the order they first appear."""
    return list(dict.fromkeys(key for row in rows for key in row if key not in COMMON))


def layer_table(rows: list[Row]) -> tuple[list[str], list[list[str]], list[bool]]:
    """(titles, cells, whether a column is numeric): what every target shows, then its own columns."""
    keys = ["name", "op", "kernel", "stride", "out_shape", "params", "macs", *target_columns(rows)]
    titles = [_TITLES.get(key, key.replace("_", " ")) for key in keys]
    numeric = [key not in ("name", "op", "kernel", "stride", "out_shape") for key in keys]
    return titles, [[_cell(row, key) for key in keys] for row in rows], numeric


def _cell(row: Row, key: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if key.endswith("shape"):
        return shape(value)
    if isinstance(value, list):
        return "x".join(map(str, value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return count(value) if value or key not in ("params", "macs") else ""
    return str(value)

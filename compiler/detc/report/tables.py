"""Tables of a target's own: the same cells for the terminal and the HTML page."""

from __future__ import annotations

from typing import Any


def cells(entry: dict[str, Any]) -> tuple[list[str], list[list[str]], list[bool]]:
    """(titles, cells, whether a column is numeric) of a table as a judgement gives it."""
    columns = entry["columns"]
    titles = [f"{column['title']} {column['unit']}".rstrip() for column in columns]
    rows = [[_cell(row.get(column["key"]), column["unit"]) for column in columns] for row in entry["rows"]]
    keys = [column["key"] for column in columns]
    numeric = [all(isinstance(row.get(key), int | float) for row in entry["rows"]) for key in keys]
    return titles, rows, numeric


def _cell(value: Any, unit: str) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "x".join(map(str, value))
    return f"{value:.2f}" if unit and isinstance(value, int | float) else str(value)

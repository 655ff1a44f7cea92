"""A target's facts as a table: what it says, and the document that says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detc.report.ansi import Terminal, table
from detc.report.figures import size
from detc.semantics.program import Section, Target


def fact_lines(target: Target, terminal: Terminal) -> list[str]:
    """Lines for the terminal: the target's name and lineage, then a row a fact."""
    rows = list(_rows(target.root, ""))
    title = terminal.paint(target.name, "bold") + (
        f"  extends {' < '.join(target.lineage[1:])}" if target.lineage[1:] else ""
    )
    head = [title, *(f"  {line}" for line in target.doc.splitlines()), ""]
    missing = len(target.placeholders())
    tail = ["", f"  {missing} without a source yet"] if missing else []
    return [*head, *table(["fact", "", "value", "source"], rows, [False] * 4, terminal), *tail]


def _rows(section: Section, prefix: str) -> Iterator[list[str]]:
    for fact in section.facts.values():
        source = "none yet" if fact.placeholder else fact.source
        yield [prefix + fact.name, fact.op, _value(fact.value), source]
    for inner in section.sections:
        label = "limit" if inner.kind == "limits" else f"{inner.kind} {inner.label}".strip()
        yield from _rows(inner, f"{prefix}{label} . ")


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, tuple):
        return "x".join(map(_value, value))
    if isinstance(value, int) and not isinstance(value, bool) and value >= 65536:
        return f"{value} ({size(value)})"
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)

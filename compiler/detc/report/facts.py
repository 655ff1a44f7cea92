"""A target's facts as a table: what it says, and the document that says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detc.report.ansi import Terminal, table
from detc.report.figures import size
from detc.semantics.program import Fact, Section, Target


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
        yield [prefix + fact.name, fact.op, fact_text(fact), source]
    for inner in section.sections:
        label = "limit" if inner.kind == "limits" else f"{inner.kind} {inner.label}".strip()
        yield from _rows(inner, f"{prefix}{label} . ")


def fact_text(fact: Fact) -> str:
    """A fact's value as a spec would write it; a list without its brackets."""
    value = fact.value
    if isinstance(value, list | tuple) and (fact.op == "in" or any(isinstance(v, str | tuple) for v in value)):
        return ", ".join(_one(v, fact.dimension) for v in value)
    return _one(value, fact.dimension)


def _one(value: Any, dimension: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    if hasattr(value, "low") and hasattr(value, "high"):
        return f"{value.low:g} .. {value.high:g}"
    if isinstance(value, int | float) and dimension == "bytes":
        return size(value) if value % 1024 == 0 else f"{value} B"
    unit = {"bits": "bits", "pixels": "px"}.get(dimension, "")
    return f"{value} {unit}".rstrip()

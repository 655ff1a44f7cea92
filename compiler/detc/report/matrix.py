"""Many specs on many targets: what fits where, and what it takes there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from detc.report.ansi import Terminal, table
from detc.report.figures import count, size
from detc.report.subject import Compilation

SCHEMA = 1
TEMPLATE = Path(__file__).with_name("matrix.html.jinja")
SHORT, SLOW = 10, 10_000
"""Milliseconds from which a time is told without decimals, and in seconds."""
FIGURES = ("ram", "cores", "flash", "latency_ms")
"""What a cell tells where the target knows it: bytes, a number of cores, bytes, milliseconds."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A spec on a target. `judged` is False where the spec has mistakes of its own, or the target is unknown: then no figure is
    known. `errors` are (code, message) of what keeps it from fitting. `latency_error` is the share by which the time may be
    wrong."""

    spec: str
    target: str
    judged: bool
    fits: bool
    ram: int | None = None
    cores: int | None = None
    flash: int | None = None
    latency_ms: float | None = None
    latency_error: float | None = None
    errors: tuple[tuple[str, str], ...] = ()

    def words(self) -> tuple[str, str, str]:
        """RAM or cores, flash and time as a reader wants them; empty where unknown."""
        held = size(self.ram) if self.ram is not None else f"{self.cores} cores" if self.cores is not None else ""
        flash = size(self.flash) if self.flash is not None else ""
        sign = "~" if self.latency_error else ""
        time = "" if self.latency_ms is None else f"{sign}{_time(self.latency_ms)}"
        return held, flash, time

    @property
    def why(self) -> str:
        """The first thing that keeps it from fitting, and how many more there are."""
        if not self.errors:
            return ""
        more = len(self.errors) - 1
        return f"{self.errors[0][0]}: {self.errors[0][1]}" + (f" (and {more} more)" if more else "")


def _time(ms: float) -> str:
    if ms >= SLOW:
        return f"{ms / 1000:.1f} s"
    return f"{count(round(ms) if ms >= SHORT else ms)} ms"


def cell_of(spec: str, target: str, done: Compilation) -> Cell:
    """The cell of a compiled spec."""
    figures = {name: done.metrics.get(metric) for name, metric in done.brief.items() if name in FIGURES}
    errors = tuple((finding.code, finding.message) for finding in done.findings if finding.level == "error")
    return Cell(
        spec,
        target,
        judged=bool(done.limits) or done.refused,
        fits=done.fits,
        latency_error=done.errors.get(done.brief.get("latency_ms", "")),
        errors=errors,
        **figures,
    )


def as_json(cells: Sequence[Cell]) -> str:
    """Every cell with its figures and errors, versioned."""
    rows: list[dict[str, Any]] = []
    for cell in cells:
        errors = [{"code": code, "message": message} for code, message in cell.errors]
        rows.append(asdict(cell) | {"errors": errors})
    return (
        json.dumps({"schema": SCHEMA, "targets": targets_of(cells), "cells": rows}, indent=2, ensure_ascii=False) + "\n"
    )


def as_text(cells: Sequence[Cell], terminal: Terminal) -> str:
    """One line a cell, by spec; what does not fit says why, cut to the terminal's width."""
    head = ["spec", "target", "", "RAM or cores", "flash", "time"]
    rows, last = [], ""
    for cell in cells:
        rows.append(["" if cell.spec == last else cell.spec, cell.target, terminal.sign(cell.fits), *cell.words()])
        last = cell.spec
    lines = table(head, rows, [False, False, False, True, True, True], terminal)
    told = [lines[0]]
    for line, cell in zip(lines[1:], cells, strict=True):
        room = terminal.width - len(line) - 2
        why = cell.why if room > 0 else ""
        told.append(f"{line}  {terminal.paint(why[:room], 'dim')}".rstrip() if why else line)
    return "\n".join([*told, "", f"  {summary(cells)}"]) + "\n"


def as_html(cells: Sequence[Cell]) -> str:
    """One page without anything from elsewhere: a row a spec, a column a target."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    specs = list(dict.fromkeys(cell.spec for cell in cells))
    found = {(cell.spec, cell.target): cell for cell in cells}
    rows = [(spec, [found.get((spec, target)) for target in targets_of(cells)]) for spec in specs]
    return template.render(targets=targets_of(cells), rows=rows, summary=summary(cells)) + "\n"


def targets_of(cells: Iterable[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.target for cell in cells))


def summary(cells: Sequence[Cell]) -> str:
    specs, targets = len({cell.spec for cell in cells}), len(targets_of(cells))
    fitting = sum(cell.fits for cell in cells)
    return f"{specs} spec{'s' * (specs != 1)} on {targets} target{'s' * (targets != 1)}: {fitting} of {len(cells)} fit"

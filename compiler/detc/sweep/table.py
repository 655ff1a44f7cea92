"""What a sweep has found so far: a table for the terminal, CSV for a spreadsheet, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

from detc.sweep.grid import Axis, Point
from detc.sweep.runs import Outcome


@dataclass(frozen=True, slots=True)
class Row:
    """A point of the grid and its outcome, None while it waits."""

    point: Point
    outcome: Outcome | None

    def figure(self, metric: str) -> float | None:
        return self.outcome.figures.get(metric) if self.outcome else None


def ranked(rows: Sequence[Row], metric: str, low_is_good: bool) -> list[Row]:
    """Best first; those without the figure behind, in the order of the grid."""
    scored = [row for row in rows if row.figure(metric) is not None]
    sign = 1 if low_is_good else -1
    scored.sort(key=lambda row: sign * (row.figure(metric) or 0.0))
    return [*scored, *(row for row in rows if row.figure(metric) is None)]


def lines(rows: Sequence[Row], axes: Sequence[Axis], metric: str) -> list[str]:
    """For the terminal, in the order of `rows`."""
    head = ["", *(axis.name.rpartition(".")[2] for axis in axes), metric, "minutes", "verdict"]
    body = []
    for row in rows:
        value, outcome = row.figure(metric), row.outcome
        shown = ["-" if value is None else f"{value:.4f}", f"{outcome.seconds / 60:.1f}" if outcome else "-"]
        verdict = outcome.verdict if outcome else "waiting"
        body.append([f"{row.point.number:03}", *(value for _, value in row.point.settings), *shown, verdict])
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
    return ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in [head, *body]]


def as_csv(rows: Sequence[Row], axes: Sequence[Axis]) -> str:
    """Every figure of every run."""
    names = sorted({name for row in rows if row.outcome for name in row.outcome.figures})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["number", "folder", *(axis.name for axis in axes), "verdict", "seconds", *names])
    for row in rows:
        outcome = row.outcome or Outcome("waiting")
        figures = [outcome.figures.get(name, "") for name in names]
        values = [value for _, value in row.point.settings]
        writer.writerow([row.point.number, row.point.folder, *values, outcome.verdict, outcome.seconds, *figures])
    return text.getvalue()


def as_json(rows: Sequence[Row], spec: str, target: str | None) -> str:
    """The same with the spec and target that were swept."""
    runs = [
        {
            "number": row.point.number,
            "folder": row.point.folder,
            "settings": row.point.sets,
            "verdict": row.outcome.verdict if row.outcome else "waiting",
            "seconds": row.outcome.seconds if row.outcome else None,
            "figures": dict(row.outcome.figures) if row.outcome else {},
        }
        for row in rows
    ]
    return json.dumps({"schema": 1, "spec": spec, "target": target, "runs": runs}, indent=2) + "\n"

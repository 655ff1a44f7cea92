"""Everything about one evaluation in a folder: figures, curves, the confusion matrix, the suggested threshold."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.curves import Chart, Series, svg
from detrt.data.sample import DataSet
from detrt.evaluate.confusion import BACKGROUND, confusion
from detrt.evaluate.matching import Matches, match
from detrt.evaluate.result import Result
from detrt.evaluate.summary import NAMES
from detrt.evaluate.threshold import Sweep, precision_over_recall, sweep
from detrt.files import write_json, write_png, write_text
from detrt.heads.detections import Detections
from detrt.page import CSS
from detrt.raster import chart_png, matrix_png

CURVES = 8
"""Classes with the most boxes whose curves are drawn; all of them are in the CSV files."""


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What a report shows. `sweeps[i]` and `curves[i]` belong to class i; `confusion` counts at the threshold `best`."""

    result: Result
    overall: Sweep
    sweeps: tuple[Sweep, ...]
    curves: tuple[NDArray[np.float64], ...]
    confusion: NDArray[np.int64]
    best: float


def analyse(dataset: DataSet, detections: Sequence[Detections], result: Result) -> Analysis:
    """Curves, sweep and confusion matrix at the IoU of `result`."""
    matches = match(dataset, detections, result.iou)
    own: list[Matches] = [matches.of_class(label) for label in range(len(dataset.classes))]
    overall = sweep(matches)
    return Analysis(
        result,
        overall,
        tuple(sweep(m) for m in own),
        tuple(precision_over_recall(m) for m in own),
        confusion(dataset, detections, overall.best, result.iou),
        overall.best,
    )


def write_report(analysis: Analysis, folder: Path, title: str) -> list[Path]:
    """Writes evaluation.json, classes.csv, precision_recall.csv, sweep.csv, confusion.csv, their PNG pictures and
    index.html into `folder`; returns their paths. Raises DetrtError where that cannot be done.
    """
    names = [c.name for c in analysis.result.classes]
    charts = {"precision_recall": precision_recall_chart(analysis), "sweep": sweep_chart(analysis)}
    tables = {
        "classes": _classes(analysis),
        "precision_recall": _columns("recall", analysis.overall.thresholds, names, analysis.curves),
        "sweep": _sweeps(analysis, names),
        "confusion": _confusion(analysis, names),
    }
    paths = []
    for name, rows in tables.items():
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        write_text(folder / f"{name}.csv", text.getvalue())
        paths.append(folder / f"{name}.csv")
    for name, chart in charts.items():
        write_png(folder / f"{name}.png", chart_png(chart))
        paths.append(folder / f"{name}.png")
    caption = f"confusion at score {analysis.best:.2f}"
    write_png(folder / "confusion.png", matrix_png(analysis.confusion, [*names, BACKGROUND], caption))
    write_json(folder / "evaluation.json", as_json(analysis))
    write_text(folder / "index.html", _page(analysis, title, list(charts.values()), names))
    return [*paths, folder / "confusion.png", folder / "evaluation.json", folder / "index.html"]


def as_json(analysis: Analysis) -> dict[str, Any]:
    """Plain values: the figures, the suggested threshold with what it gives, for all classes and for each."""
    classes = {}
    for entry, own in zip(analysis.result.classes, analysis.sweeps, strict=True):
        classes[entry.name] = {"threshold": own.best, **_spoken(own, own.best)} if entry.boxes else None
    return {
        "schema": 1,
        "result": analysis.result.as_dict(),
        "suggested": {"threshold": analysis.best, **_spoken(analysis.overall, analysis.best)},
        "suggested_by_class": classes,
        "confusion": {"score": analysis.best, "iou": analysis.result.iou, "rows": analysis.confusion.tolist()},
    }


def precision_recall_chart(analysis: Analysis) -> Chart:
    """A curve for each of the classes with the most boxes."""
    ranked = sorted(range(len(analysis.curves)), key=lambda i: -analysis.result.classes[i].boxes)[:CURVES]
    recalls = analysis.overall.thresholds
    series = [
        Series(analysis.result.classes[i].name, _points(recalls, analysis.curves[i]))
        for i in ranked
        if analysis.result.classes[i].boxes
    ]
    return Chart(f"precision over recall, IoU {analysis.result.iou:g}", tuple(series), "recall", 0.0, 1.0)


def sweep_chart(analysis: Analysis) -> Chart:
    """Precision, recall and F1 of all classes together over the score."""
    own = analysis.overall
    series = [("precision", own.precision), ("recall", own.recall), ("F1", own.f1)]
    curves = tuple(Series(name, _points(own.thresholds, values)) for name, values in series)
    mark = (analysis.best, f"{analysis.best:.2f}")
    return Chart("over the least score", curves, "score", 0.0, 1.0, mark=mark)


def _points(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    return tuple(zip(x.tolist(), y.tolist(), strict=True))


def _spoken(own: Sweep, threshold: float) -> dict[str, float]:
    precision, recall, f1 = own.at(threshold)
    return {"precision": precision, "recall": recall, "f1": f1}


def _classes(analysis: Analysis) -> list[list[Any]]:
    head = ["class", "boxes", f"ap{analysis.result.iou * 100:.0f}", "ap", "threshold", "precision", "recall", "f1"]
    rows: list[list[Any]] = [head]
    for entry, own in zip(analysis.result.classes, analysis.sweeps, strict=True):
        figures = [f"{v:.6f}" for v in (own.best, *own.at(own.best))] if entry.boxes else [""] * 4
        rows.append([entry.name, entry.boxes, _cell(entry.ap50), _cell(entry.ap), *figures])
    return rows


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _columns(
    first: str, x: NDArray[np.float64], names: Sequence[str], curves: Sequence[NDArray[np.float64]]
) -> list[list[Any]]:
    rows = [[f"{value:.2f}", *(f"{curve[i]:.6f}" for curve in curves)] for i, value in enumerate(x.tolist())]
    return [[first, *names], *rows]


def _sweeps(analysis: Analysis, names: Sequence[str]) -> list[list[Any]]:
    all_of = [("all", analysis.overall), *zip(names, analysis.sweeps, strict=True)]
    head = ["score", *(f"{name} {what}" for name, _ in all_of for what in ("precision", "recall", "f1"))]
    rows: list[list[Any]] = [head]
    for i, threshold in enumerate(analysis.overall.thresholds.tolist()):
        rows.append(
            [f"{threshold:.2f}", *(f"{v[i]:.6f}" for _, own in all_of for v in (own.precision, own.recall, own.f1))]
        )
    return rows


def _confusion(analysis: Analysis, names: Sequence[str]) -> list[list[Any]]:
    labels = [*names, BACKGROUND]
    rows = [[name, *row] for name, row in zip(labels, analysis.confusion.tolist(), strict=True)]
    return [["truth", *labels], *rows]


# ---- the page -------------------------------------------------------------------------------------------------------


def _page(analysis: Analysis, title: str, charts: Sequence[Chart], names: Sequence[str]) -> str:
    result = analysis.result
    precision, recall, f1 = analysis.overall.at(analysis.best)
    cards = [
        (f"{result.map50:.3f}", f"mAP@{result.iou:g}"),
        (f"{result.map:.3f}", "mAP"),
        (f"{analysis.best:.2f}", f"suggested score: F1 {f1:.3f}, precision {precision:.3f}, recall {recall:.3f}"),
        (f"{result.pictures:,}", f"pictures, {result.boxes:,} boxes, {result.detections:,} detections"),
    ]
    body = "".join(f'<div class="card"><b>{escape(a)}</b><span>{escape(b)}</span></div>' for a, b in cards)
    parts = [
        f'<header><h1>{escape(title)}</h1><p class="soft">{escape(result.rule)} rules</p></header>',
        f'<section class="facts">{body}</section>',
    ]
    if result.summary:
        rows = [(name, _shown(value), NAMES[name]) for name, value in result.summary.items()]
        parts.append(html_table("COCO figures", [("figure", "value", "what"), *rows], words=True))
    classes = [(str(a), str(b), *map(_short, rest)) for a, b, *rest in _classes(analysis)]
    parts.append(html_table("Classes", classes))
    drawn = "".join(f'<div class="card">{svg(chart)}</div>' for chart in charts)
    parts.append(f'<section><h2>Curves</h2><div class="charts">{drawn}</div></section>')
    labels = [*names, BACKGROUND]
    if len(labels) <= 30:
        matrix = [(name, *map(str, row)) for name, row in zip(labels, analysis.confusion.tolist(), strict=True)]
        heading = f"Confusion at score {analysis.best:.2f} (rows: truth, columns: found)"
        parts.append(html_table(heading, [("", *labels), *matrix]))
    else:
        parts.append(
            '<section><h2>Confusion</h2><img style="width:100%" src="confusion.png" alt="confusion"></section>'
        )
    return html_page(title, parts)


def html_page(title: str, parts: Sequence[str]) -> str:
    """A whole page in the style of a run's."""
    head = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    head += f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{CSS}</style></head>'
    return f"{head}\n<body><main>\n" + "\n".join(parts) + "\n</main></body></html>\n"


def html_table(title: str, rows: Sequence[Sequence[str]], words: bool = False) -> str:
    """The first row is the head; with `words` the last column is text."""
    lines = []
    for number, row in enumerate(rows):
        tag = "td" if number else "th"
        kinds = ["" if i == 0 or (words and i == len(row) - 1) else ' class="n"' for i in range(len(row))]
        cells = "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, row, strict=True))
        lines.append(f"<tr>{cells}</tr>")
    return f'<section><h2>{escape(title)}</h2><div class="card"><table>{"".join(lines)}</table></div></section>'


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _short(cell: Any) -> str:
    text = str(cell)
    return text[:-3] if text.replace(".", "").isdigit() and len(text) == 8 else text or "-"

"""The evaluation of a classifier in a folder: figures, classes, the confusion matrix, and a page of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from detrt.evaluate.classifying import Classified
from detrt.evaluate.report import html_page, html_table
from detrt.files import write_json, write_png, write_text
from detrt.raster import matrix_png

DRAWN = 60
"""Classes of the confusion picture: those with the most mistakes. The CSV has all of them."""
LISTED = 50


def write_classes_report(result: Classified, folder: Path, title: str) -> list[Path]:
    """Writes evaluation.json, classes.csv, confusion.csv, confusion.png and index.html into `folder`; returns their paths.
    Raises DetrtError where that cannot be done.
    """
    names = [c.name for c in result.classes]
    classes = [["class", "pictures", "recall", "precision"]]
    classes += [[c.name, str(c.pictures), _cell(c.recall), _cell(c.precision)] for c in result.classes]
    table = [["truth", *names], *([name, *row] for name, row in zip(names, result.confusion.tolist(), strict=True))]
    wrong = result.confusion - np.diag(result.confusion.diagonal())
    worst = np.sort(np.argsort(-(wrong.sum(0) + wrong.sum(1)), kind="stable")[:DRAWN])
    drawn = matrix_png(result.confusion[np.ix_(worst, worst)], [names[i] for i in worst], "what is called what")
    write_text(folder / "classes.csv", _csv(classes))
    write_text(folder / "confusion.csv", _csv(table))
    write_png(folder / "confusion.png", drawn)
    write_json(folder / "evaluation.json", {"schema": 1, "result": result.as_dict()})
    write_text(folder / "index.html", _page(result, title, classes))
    files = ("classes.csv", "confusion.csv", "confusion.png", "evaluation.json", "index.html")
    return [folder / name for name in files]


def _page(result: Classified, title: str, classes: Sequence[Sequence[str]]) -> str:
    cards = [
        (f"{result.top1:.3f}", "top-1"),
        (f"{result.top5:.3f}", "top-5"),
        (f"{result.pictures:,}", f"pictures of {len(result.classes)} classes"),
    ]
    body = "".join(f'<div class="card"><b>{escape(a)}</b><span>{escape(b)}</span></div>' for a, b in cards)
    rows = sorted(classes[1:], key=lambda row: float(row[2] or 2))[:LISTED]
    mistaken = [(a, b, str(n)) for a, b, n in result.mistaken()]
    image = '<img style="width:100%" src="confusion.png" alt="confusion matrix">'
    return html_page(
        title,
        [
            f"<header><h1>{escape(title)}</h1></header>",
            f'<section class="facts">{body}</section>',
            html_table("Most frequent mistakes", [("truth", "called", "pictures"), *mistaken]) if mistaken else "",
            html_table("Classes, those known worst first", [classes[0], *rows]),
            f"<section><h2>Confusion</h2>{image}</section>",
        ],
    )


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"

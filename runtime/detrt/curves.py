"""Curves of a run as SVG, written by hand: a few lines of text instead of a plotting library."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10
from pathlib import Path

from detrt.errors import DetrtError

COLOURS = ("#2f6fde", "#12948a", "#b7791f", "#7a4fd0", "#b3261e", "#5d6b7e", "#1d7f4e", "#c2488f")
WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 150, 34, 40
STYLE = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:currentColor}"
    ".t{font-weight:600;font-size:14px}.s{opacity:.65;font-size:11px}"
    ".g{stroke:currentColor;opacity:.14}.c{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
)


@dataclass(frozen=True, slots=True)
class Series:
    """One curve: points with finite values, in order of x."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves over one pair of axes. `log` takes the logarithm of x; `top` and `bottom` fix the y axis where they
    are given.
    """

    title: str
    series: tuple[Series, ...]
    x: str = "epoch"
    bottom: float | None = None
    top: float | None = None
    log: bool = False
    mark: tuple[float, str] | None = None


def svg(chart: Chart) -> str:
    """The chart as one `<svg>` element that stands alone and takes the text colour of a page around it."""
    points = [p for series in chart.series for p in series.points]
    if not points:
        return _frame([f'<text x="{LEFT}" y="{HEIGHT / 2}" class="s">nothing recorded</text>'], chart.title)
    low_x, high_x = _spread(min(p[0] for p in points), max(p[0] for p in points))
    low_y = min(p[1] for p in points) if chart.bottom is None else chart.bottom
    high_y = max(p[1] for p in points) if chart.top is None else chart.top
    rows = ticks(*_spread(low_y, high_y))
    low_y, high_y = min(low_y, rows[0]), max(high_y, rows[-1])

    def place_x(value: float) -> float:
        a, b, v = (log10(v) if chart.log else v for v in (low_x, high_x, value))
        return LEFT + (v - a) / (b - a) * (WIDTH - LEFT - RIGHT)

    def place_y(value: float) -> float:
        return HEIGHT - BOTTOM - (min(max(value, low_y), high_y) - low_y) / (high_y - low_y) * (HEIGHT - TOP - BOTTOM)

    lines = []
    for row in rows:
        y = place_y(row)
        lines.append(f'<line class="g" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text class="s" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{row:g}</text>')
    for column in _decades(low_x, high_x) if chart.log else _whole(ticks(low_x, high_x, 6), low_x, high_x):
        x = place_x(column)
        lines.append(f'<text class="s" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{column:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    lines.append(f'<text class="s" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(chart.x)}</text>')
    if chart.mark is not None and low_x <= chart.mark[0] <= high_x:
        x = place_x(chart.mark[0])
        lines.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#b3261e" stroke-dasharray="4 4"/>'
        )
        lines.append(f'<text class="s" x="{x + 5:.1f}" y="{TOP + 12}">{escape(chart.mark[1])}</text>')
    for number, series in enumerate(chart.series):
        if not series.points:
            continue
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{place_x(x):.1f},{place_y(y):.1f}" for x, y in series.points)
        if len(series.points) == 1:
            left, up = path.split(",")
            lines.append(f'<circle cx="{left}" cy="{up}" r="3" fill="{colour}"/>')
        lines.append(f'<polyline class="c" stroke="{colour}" points="{path}"/>')
        y_legend = TOP + 8 + 19 * number
        lines.append(
            f'<rect x="{WIDTH - RIGHT + 14}" y="{y_legend - 6}" width="12" height="4" rx="2" fill="{colour}"/>'
        )
        last = f"{series.points[-1][1]:.3g}"
        lines.append(
            f'<text x="{WIDTH - RIGHT + 32}" y="{y_legend}">{escape(series.name)} <tspan class="s">{last}</tspan></text>'
        )
    return _frame(lines, chart.title)


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) from at most `low` to at least `high`."""
    span = high - low
    raw = span / wanted
    power = 10 ** floor(log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def read_metrics(path: Path) -> dict[str, tuple[tuple[float, float], ...]]:
    """Columns of a stage's metrics.csv by name, as (epoch, value); cells that are empty or not finite are passed over.

    Raises DetrtError if the file cannot be read or has no column `epoch`.
    """
    try:
        with open(path, newline="", encoding="utf-8", errors="replace") as stream:
            reader = csv.DictReader(stream)
            if reader.fieldnames is None or "epoch" not in reader.fieldnames:
                raise DetrtError("has no column `epoch`", path)
            rows = list(reader)
    except (OSError, csv.Error) as error:
        raise DetrtError(f"cannot read the metrics: {error}", path) from error
    columns: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        epoch = _number(row.get("epoch"))
        for name, cell in row.items():
            value = _number(cell) if isinstance(cell, str) else None
            if epoch is not None and value is not None and name and name != "epoch":
                columns.setdefault(name, []).append((epoch, value))
    return {name: tuple(points) for name, points in columns.items()}


def stage_charts(stage: str, columns: Mapping[str, Sequence[tuple[float, float]]]) -> list[Chart]:
    """The charts one looks at first: losses, mAP, and the learning rate."""
    terms = [name for name in columns if name.startswith("train/") and name != "train/loss"]
    losses = [Series("training", _points(columns, "train/loss")), Series("validation", _points(columns, "val/loss"))]
    parts = [Series(name.removeprefix("train/"), _points(columns, name)) for name in terms]
    classes = [name for name in columns if name.startswith("val/map50/")]
    scores = [Series("mAP@0.5", _points(columns, "val/map50")), Series("mAP", _points(columns, "val/map"))]
    scores += [Series(name.removeprefix("val/map50/"), _points(columns, name)) for name in classes[:5]]
    accuracy = [Series("top-1", _points(columns, "val/top1")), Series("top-5", _points(columns, "val/top5"))]
    charts = [
        Chart(f"{stage}: accuracy on validation", _filled(accuracy), bottom=0.0, top=1.0),
        Chart(f"{stage}: mAP on validation", _filled(scores), bottom=0.0, top=1.0),
        Chart(f"{stage}: loss", _filled(losses), bottom=0.0),
        Chart(f"{stage}: terms of the training loss", _filled(parts), bottom=0.0),
    ]
    return [chart for chart in charts if chart.series]


def _filled(series: Sequence[Series]) -> tuple[Series, ...]:
    return tuple(s for s in series if s.points)


def _points(columns: Mapping[str, Sequence[tuple[float, float]]], name: str) -> tuple[tuple[float, float], ...]:
    return tuple(columns.get(name, ()))


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if isfinite(value) else None


def _spread(low: float, high: float) -> tuple[float, float]:
    """Two different numbers, so that there is an axis between them."""
    return (low, high) if high > low else (low - (abs(low) or 1) * 0.5, high + (abs(high) or 1) * 0.5)


def _decades(low: float, high: float) -> list[float]:
    return [10.0**i for i in range(ceil(log10(low)), floor(log10(high)) + 1)]


def _whole(values: Sequence[float], low: float, high: float) -> list[float]:
    inside = [v for v in values if low <= v <= high]
    return [v for v in inside if v == int(v)] or inside


def _frame(lines: Sequence[str], title: str) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
    return "\n".join(
        [
            head,
            f"<style>{STYLE}</style>",
            f'<text class="t" x="{LEFT}" y="18">{escape(title)}</text>',
            *lines,
            "</svg>\n",
        ]
    )

"""Charts and tables of numbers as PNG pictures, with OpenCV: for places that show no SVG."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from detrt.curves import COLOURS, Chart, ticks
from detrt.data.sample import Image
from detrt.draw import drawable

FONT = cv2.FONT_HERSHEY_SIMPLEX
WIDTH, HEIGHT = 1280, 720
LEFT, RIGHT, TOP, BOTTOM = 110, 300, 70, 80
INK, SOFT, GRID = (48, 36, 28), (126, 107, 93), (236, 228, 223)
"""BGR."""
MOST_SERIES = 14


def chart_png(chart: Chart) -> Image:
    """uint8 [720, 1280, 3] BGR of a chart with a linear x axis; the first curves only where there are very many."""
    canvas = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    _text(canvas, chart.title, LEFT, 42, 0.85)
    shown = [series for series in chart.series if series.points][:MOST_SERIES]
    points = [point for series in shown for point in series.points]
    if not points:
        _text(canvas, "nothing recorded", LEFT, HEIGHT // 2, 0.7, SOFT)
        return canvas
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    columns = ticks(min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1)
    low = min(ys) if chart.bottom is None else chart.bottom
    high = max(ys) if chart.top is None else chart.top
    rows = ticks(low, high if high > low else low + 1)

    def x(value: float) -> int:
        return round(LEFT + (value - columns[0]) / (columns[-1] - columns[0]) * (WIDTH - LEFT - RIGHT))

    def y(value: float) -> int:
        inside = min(max(value, rows[0]), rows[-1])
        return round(HEIGHT - BOTTOM - (inside - rows[0]) / (rows[-1] - rows[0]) * (HEIGHT - TOP - BOTTOM))

    for row in rows:
        cv2.line(canvas, (LEFT, y(row)), (WIDTH - RIGHT, y(row)), GRID, 1, cv2.LINE_AA)
        _text(canvas, f"{row:g}", LEFT - 16, y(row) + 6, 0.55, SOFT, right=True)
    for column in columns:
        _text(canvas, f"{column:g}", x(column) - 12, HEIGHT - BOTTOM + 30, 0.55, SOFT)
    _text(canvas, chart.x, (LEFT + WIDTH - RIGHT) // 2 - 40, HEIGHT - 16, 0.6, SOFT)
    if chart.mark is not None:
        cv2.line(canvas, (x(chart.mark[0]), TOP), (x(chart.mark[0]), HEIGHT - BOTTOM), (38, 30, 179), 1, cv2.LINE_AA)
        _text(canvas, chart.mark[1], x(chart.mark[0]) + 8, TOP + 18, 0.55, (38, 30, 179))
    for number, series in enumerate(shown):
        colour = _bgr(COLOURS[number % len(COLOURS)])
        line = np.array([(x(a), y(b)) for a, b in series.points], np.int32)
        cv2.polylines(canvas, [line], False, colour, 2, cv2.LINE_AA)
        top = TOP + 12 + 30 * number
        cv2.rectangle(canvas, (WIDTH - RIGHT + 24, top - 8), (WIDTH - RIGHT + 44, top - 2), colour, cv2.FILLED)
        _text(canvas, series.name[:22], WIDTH - RIGHT + 54, top, 0.55)
    return canvas


def matrix_png(table: NDArray[np.int64], names: Sequence[str], title: str) -> Image:
    """A square table of counts as a picture, each row shaded by its share: BGR uint8, at most 1,600 pixels a side."""
    cell = max(8, min(64, 1280 // len(names)))
    edge, top = 190, 90
    side = cell * len(names)
    canvas = np.full((top + side + edge, edge + side + 60, 3), 255, np.uint8)
    _text(canvas, title, 20, 36, 0.7)
    _text(canvas, "rows: truth, columns: found", 20, 64, 0.5, SOFT)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    for row, name in enumerate(names):
        for column in range(len(names)):
            corner = (edge + column * cell, top + row * cell)
            depth = float(shares[row, column])
            colour = tuple(round(255 - depth * (255 - c)) for c in (222, 111, 47))
            cv2.rectangle(canvas, corner, (corner[0] + cell - 2, corner[1] + cell - 2), colour, cv2.FILLED)
            if cell >= 32 and table[row, column]:
                ink = (255, 255, 255) if depth > 0.5 else INK
                _text(canvas, str(table[row, column]), corner[0] + 5, corner[1] + cell // 2 + 5, 0.42, ink)
        if cell >= 12:
            _text(canvas, name[:18], edge - 10, top + row * cell + cell // 2 + 5, 0.45, SOFT, right=True)
            _below(canvas, name[:18], edge + row * cell + cell // 2, top + side + 10)
    return canvas


def _below(canvas: Image, text: str, x: int, y: int) -> None:
    """Text that is read from bottom to top, centred at `x` and ending at `y`."""
    plain = drawable(text)
    (width, height), below = cv2.getTextSize(plain, FONT, 0.45, 1)
    label = np.full((height + below + 2, width + 2, 3), 255, np.uint8)
    cv2.putText(label, plain, (0, height), FONT, 0.45, SOFT, 1, cv2.LINE_AA)
    turned = np.rot90(label)
    left = x - turned.shape[1] // 2
    canvas[y : y + turned.shape[0], left : left + turned.shape[1]] = turned[: canvas.shape[0] - y]


def _text(
    canvas: Image,
    text: str,
    x: int,
    y: int,
    scale: float,
    colour: tuple[int, int, int] = INK,
    right: bool = False,
) -> None:
    plain = drawable(text)
    if right:
        x -= cv2.getTextSize(plain, FONT, scale, 1)[0][0]
    cv2.putText(canvas, plain, (x, y), FONT, scale, colour, 1, cv2.LINE_AA)


def _bgr(colour: str) -> tuple[int, int, int]:
    return int(colour[5:7], 16), int(colour[3:5], 16), int(colour[1:3], 16)

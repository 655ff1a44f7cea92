"""Bar charts of counts: as text for the terminal, as SVG for a page, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import cv2
import numpy as np

from detrt.data.sample import Image
from detrt.draw import drawable

INK, BAR, LINE = (48, 36, 28), (222, 111, 47), (236, 228, 223)
"""BGR."""
FONT = cv2.FONT_HERSHEY_SIMPLEX
ROW, WIDTH, LABEL = 22, 640, 190


@dataclass(frozen=True, slots=True)
class Bars:
    """Counts of things, longest label first for the eye; `note` is a line below."""

    title: str
    rows: tuple[tuple[str, int], ...]
    note: str = ""

    def lines(self, width: int = 40) -> list[str]:
        """One line a row, the longest bar `width` characters."""
        most = max((count for _, count in self.rows), default=0) or 1
        label = max((len(name) for name, _ in self.rows), default=0)
        figure = max((len(f"{count:,}") for _, count in self.rows), default=1)
        body = [f"  {name:<{label}}  {n:>{figure},}  {'#' * -(-n * width // most)}".rstrip() for name, n in self.rows]
        return [self.title, *body, *([f"  {self.note}"] if self.note else [])]

    def svg(self) -> str:
        """One `<svg>` element that takes the text colour of the page around it."""
        most = max((count for _, count in self.rows), default=0) or 1
        height = 34 + ROW * len(self.rows) + (ROW if self.note else 0)
        view = f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(self.title)}"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {view}>',
            "<style>text{font:12px system-ui,sans-serif;fill:currentColor}.t{font-weight:600;font-size:14px}</style>",
            f'<text class="t" x="0" y="16">{escape(self.title)}</text>',
        ]
        for number, (name, count) in enumerate(self.rows):
            y = 30 + ROW * number
            long = (WIDTH - LABEL - 80) * count / most
            parts.append(f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{escape(_short(name))}</text>')
            parts.append(f'<rect x="{LABEL}" y="{y + 2}" width="{long:.1f}" height="{ROW - 8}" rx="2" fill="#2f6fde"/>')
            parts.append(f'<text x="{LABEL + long + 6:.1f}" y="{y + 13}">{count:,}</text>')
        if self.note:
            parts.append(f'<text x="0" y="{height - 6}">{escape(self.note)}</text>')
        return "\n".join([*parts, "</svg>"])

    def image(self) -> Image:
        """The same as a BGR picture; letters outside ASCII become question marks."""
        most = max((count for _, count in self.rows), default=0) or 1
        height = 40 + ROW * len(self.rows) + (ROW if self.note else 0)
        canvas = np.full((height, WIDTH, 3), 255, np.uint8)
        _write(canvas, self.title, 8, 22, 0.55)
        for number, (name, count) in enumerate(self.rows):
            y = 34 + ROW * number
            end = LABEL + round((WIDTH - LABEL - 80) * count / most)
            _write(canvas, _short(name), 8, y + 14, 0.42)
            cv2.line(canvas, (LABEL, y + ROW - 2), (WIDTH - 8, y + ROW - 2), LINE, 1)
            cv2.rectangle(canvas, (LABEL, y + 3), (end, y + ROW - 6), BAR, cv2.FILLED)
            _write(canvas, f"{count:,}", end + 6, y + 14, 0.42)
        if self.note:
            _write(canvas, self.note, 8, height - 8, 0.42)
        return canvas


def stacked_charts(charts: Sequence[Bars]) -> Image:
    """All charts under each other."""
    return np.vstack([chart.image() for chart in charts])


def _short(name: str, most: int = 26) -> str:
    return name if len(name) <= most else name[: most - 2] + ".."


def _write(canvas: Image, text: str, x: int, y: int, scale: float) -> None:
    cv2.putText(canvas, drawable(text), (x, y), FONT, scale, INK, 1, cv2.LINE_AA)

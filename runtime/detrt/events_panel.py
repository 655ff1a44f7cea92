"""Events over frames: the running curve beside a video, and the record that is left of it."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from detrt.curves import Chart, Series
from detrt.data.sample import Image
from detrt.draw import FONT, PALETTE
from detrt.files import write_json, write_png
from detrt.raster import GRID, INK, SOFT, chart_png
from detrt.stream import Events

SHOWN = 120
"""Frames of the running curve."""
POINTS = 1024
"""Points of the curves that are kept of a whole video; of a longer one each stands for several frames."""
SENT, DENSE = PALETTE[0], PALETTE[1]


class Curve:
    """A series of any length in at most POINTS points: where there are more, neighbours become their mean."""

    def __init__(self) -> None:
        self._means: list[float] = []
        self._of, self._sum, self._count = 1, 0.0, 0

    def add(self, value: float) -> None:
        self._sum, self._count = self._sum + value, self._count + 1
        if self._count < self._of:
            return
        self._means.append(self._sum / self._count)
        self._sum, self._count = 0.0, 0
        if len(self._means) == POINTS:
            pairs = np.reshape(self._means, (-1, 2))
            self._means, self._of = pairs.mean(axis=1).tolist(), 2 * self._of

    def points(self) -> tuple[tuple[float, float], ...]:
        """(frame, value), and a last one for the frames that fill no point of their own."""
        ends = [*self._means, *([self._sum / self._count] if self._count else [])]
        return tuple(((i + 0.5) * self._of - 0.5, value) for i, value in enumerate(ends))


class EventRecord:
    """Events of all frames of one video or more: sums, largest values and curves, none of which grow with the video.

    `neurons` as in `Stream`: their sum is what a dense net hands on for every frame.
    """

    def __init__(self, neurons: Mapping[str, int]) -> None:
        self.neurons = dict(neurons)
        self.dense = sum(self.neurons.values())
        self.frames = 0
        self.sums = dict.fromkeys(self.neurons, 0)
        self.most = dict.fromkeys(self.neurons, 0)
        self.latest: deque[int] = deque(maxlen=SHOWN)
        self._curves = {name: Curve() for name in ("all layers", *self.neurons)}

    def add(self, events: Events) -> None:
        """The next frame."""
        self.frames += 1
        total = 0
        for name in self.neurons:
            count = events.get(name, 0)
            total += count
            self.sums[name] += count
            self.most[name] = max(self.most[name], count)
            self._curves[name].add(count)
        self._curves["all layers"].add(total)
        self.latest.append(total)

    @property
    def mean(self) -> float:
        """Events a frame."""
        return sum(self.sums.values()) / max(1, self.frames)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: of all layers and of each, events a frame, the most in one, and the share of neurons that send."""
        layers = [
            {
                "name": name,
                "neurons": neurons,
                "events_per_frame": round(self.sums[name] / max(1, self.frames), 3),
                "most": self.most[name],
                "rate": round(self.sums[name] / max(1, self.frames * neurons), 6),
            }
            for name, neurons in self.neurons.items()
        ]
        return {
            "frames": self.frames,
            "events_per_frame": round(self.mean, 3),
            "dense_activations": self.dense,
            "event_rate": round(self.mean / max(1, self.dense), 6),
            "layers": layers,
        }

    def lines(self) -> list[str]:
        """A table for the terminal."""
        width = max([5, *map(len, self.neurons)])
        rows = [
            f"{name:<{width}}  {neurons:>9,}  {self.sums[name] / max(1, self.frames):>12,.1f}"
            f"  {self.sums[name] / max(1, self.frames * neurons):>7.2%}"
            for name, neurons in self.neurons.items()
        ]
        head = f"{'layer':<{width}}  {'dense':>9}  {'events/frame':>12}  {'share':>7}"
        last = f"{'all':<{width}}  {self.dense:>9,}  {self.mean:>12,.1f}  {self.mean / max(1, self.dense):>7.2%}"
        return [head, *rows, last]

    def chart(self, title: str) -> Chart:
        """Curves of all layers and of each, and what a dense net hands on."""
        series = [Series(name, curve.points()) for name, curve in self._curves.items()]
        dense = Series("dense net", ((0.0, float(self.dense)), (float(max(1, self.frames - 1)), float(self.dense))))
        return Chart(title, (dense, *series), "frame", 0.0)

    def write(self, folder: Path, title: str, about: Mapping[str, Any]) -> list[Path]:
        """Writes events.json and events.png into `folder`. Raises DetrtError where that cannot be done."""
        write_json(folder / "events.json", {"schema": 1, **about, **self.as_dict()})
        write_png(folder / "events.png", chart_png(self.chart(title)))
        return [folder / "events.json", folder / "events.png"]


def csv_head(neurons: Mapping[str, int]) -> str:
    """The first line of events.csv."""
    return _line(["frame", "all", *neurons])


def csv_row(number: int, events: Events, neurons: Mapping[str, int]) -> str:
    """Events of a frame: of all layers together, then of each."""
    counts = [events.get(name, 0) for name in neurons]
    return _line([number, sum(counts), *counts])


def _line(cells: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def beside(image: Image, record: EventRecord, number: int) -> Image:
    """A BGR picture with a panel to its right: the curve of events up to frame `number`, below the line of a dense net."""
    height = image.shape[0]
    width = max(240, round(height * 0.8))
    unit = height / 448
    panel = np.full((height, width, 3), 255, np.uint8)
    left, right, top, bottom = round(16 * unit), width - round(16 * unit), round(120 * unit), height - round(32 * unit)
    now = record.latest[-1] if record.latest else 0
    share = now / max(1, record.dense)
    _write(panel, f"frame {number}", left, round(28 * unit), 0.5 * unit, SOFT)
    _write(panel, f"{now:,} events", left, round(56 * unit), 0.62 * unit, SENT)
    _write(panel, f"{share:.1%} of {record.dense:,}, a dense net", left, round(80 * unit), 0.46 * unit, DENSE)
    for part in range(5):
        y = round(bottom - (bottom - top) * part / 4)
        cv2.line(panel, (left, y), (right, y), DENSE if part == 4 else GRID, max(1, round(unit)), cv2.LINE_AA)
        if part not in (0, 4):
            _write(panel, f"{part * 25} %", right - round(32 * unit), y - round(4 * unit), 0.36 * unit, SOFT)
    values = list(record.latest)
    points = [
        (
            left + (right - left) * i / (SHOWN - 1),
            bottom - (bottom - top) * min(1.0, value / max(1, record.dense)),
        )
        for i, value in enumerate(values)
    ]
    line = np.round(np.array(points, np.float64)).astype(np.int32).reshape(-1, 1, 2)
    area = np.concatenate([line, [[[line[-1, 0, 0], bottom]], [[line[0, 0, 0], bottom]]]]).astype(np.int32)
    tint = panel.copy()
    cv2.fillPoly(tint, [area], SENT, cv2.LINE_AA)
    panel = np.asarray(cv2.addWeighted(tint, 0.25, panel, 0.75, 0), np.uint8)
    cv2.polylines(panel, [line], False, SENT, max(2, round(2 * unit)), cv2.LINE_AA)
    cv2.circle(
        panel, (int(line[-1, 0, 0]), int(line[-1, 0, 1])), max(3, round(4 * unit)), SENT, cv2.FILLED, cv2.LINE_AA
    )
    _write(panel, f"last {SHOWN} frames", left, bottom + round(20 * unit), 0.4 * unit, SOFT)
    return np.concatenate([image, panel], axis=1)


def _write(panel: Image, text: str, x: int, y: int, scale: float, colour: tuple[int, int, int] = INK) -> None:
    cv2.putText(panel, text, (x, y), FONT, scale, colour, max(1, round(scale)), cv2.LINE_AA)

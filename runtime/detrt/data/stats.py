"""What a split holds: pictures and boxes a class, sizes and shapes of the boxes, sizes of the pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.bars import Bars
from detrt.data.sample import DataSet

SIDES = tuple(2.0**-n for n in range(6, -1, -1))
"""Upper ends of the bins of a box's side, as shares of the picture's side."""
SHAPES = (0.25, 0.5, 0.8, 1.25, 2.0, 4.0)
"""Ends between the bins of width / height."""
CROWDS = (0, 1, 2, 4, 8, 16, 32)
"""Upper ends of the bins of boxes a picture."""
MOST_CLASSES, MOST_SIZES = 100, 8


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of one split; `per_class` is (name, boxes, pictures with one). Sizes follow COCO: small is below 32 x 32
    pixels of the picture, large above 96 x 96. `videos`: of how many the pictures are frames.
    """

    name: str
    pictures: int
    empty: int
    boxes: int
    per_class: tuple[tuple[str, int, int], ...]
    small: int
    medium: int
    large: int
    charts: tuple[Bars, ...]
    videos: int = 0

    def lines(self) -> list[str]:
        frames = f" of {self.videos:,} videos" if self.videos else ""
        head = f"{self.name}: {self.pictures:,} pictures{frames} ({self.empty:,} without boxes), {self.boxes:,} boxes"
        return [head, *(line for chart in self.charts for line in ["", *chart.lines()])]

    def as_dict(self) -> dict[str, Any]:
        classes = [{"name": name, "boxes": boxes, "pictures": pictures} for name, boxes, pictures in self.per_class]
        sizes = {"small": self.small, "medium": self.medium, "large": self.large}
        charts = [{"title": chart.title, "rows": [list(row) for row in chart.rows]} for chart in self.charts]
        counts = {
            "name": self.name,
            "pictures": self.pictures,
            "videos": self.videos,
            "without_boxes": self.empty,
            "boxes": self.boxes,
        }
        return {**counts, "classes": classes, "sizes": sizes, "charts": charts}


def stats_of(dataset: DataSet) -> Stats:
    """Counts of a checked split (whose pictures have their sizes)."""
    count = len(dataset.classes)
    boxes, having = np.zeros(count, np.int64), np.zeros(count, np.int64)
    sides, shapes, areas = [np.zeros(0)], [np.zeros(0)], [np.zeros(0)]
    for picture in dataset:
        numbers = np.bincount(picture.annotation.labels, minlength=count)
        boxes += numbers
        having += numbers > 0
        if len(picture.annotation):
            width, height = (picture.annotation.boxes[:, 2:] - picture.annotation.boxes[:, :2]).T.astype(float)
            areas.append(width * height)
            sides.append(np.sqrt(width * height / max(1, picture.width * picture.height)))
            shapes.append(width / np.maximum(height, 1e-6))
    area, held = np.concatenate(areas), [len(picture.annotation) for picture in dataset]
    small, large = int(np.sum(area < 32**2)), int(np.sum(area > 96**2))
    medium = len(area) - small - large
    per_class = tuple(zip(dataset.classes, boxes.tolist(), having.tolist(), strict=True))
    sizes = Counter((picture.width, picture.height) for picture in dataset)
    charts = (
        _classes(per_class),
        Bars(
            "side of a box as a share of the picture's",
            _binned(np.concatenate(sides), SIDES, [_share(n) for n in range(7)]),
            f"COCO sizes: {small:,} small, {medium:,} medium, {large:,} large",
        ),
        Bars("width / height of a box", _binned(np.concatenate(shapes), SHAPES, _between(SHAPES))),
        Bars(
            "boxes a picture",
            _binned(np.asarray(held, float), CROWDS, ["0", "1", "2", "3-4", "5-8", "9-16", "17-32"], "33+"),
        ),
        Bars(
            "pictures by size",
            tuple((f"{w}x{h}", n) for (w, h), n in sizes.most_common(MOST_SIZES)),
            f"and {len(sizes) - MOST_SIZES} more sizes" if len(sizes) > MOST_SIZES else "",
        ),
    )
    name = f"{dataset.name}.{dataset.split}"
    videos = len({picture.video for picture in dataset if picture.video})
    return Stats(name, len(dataset), held.count(0), len(area), per_class, small, medium, large, charts, videos)


def _classes(per_class: Sequence[tuple[str, int, int]]) -> Bars:
    rows = sorted(((name, boxes) for name, boxes, _ in per_class), key=lambda row: -row[1])
    more = f"and {len(rows) - MOST_CLASSES} more classes" if len(rows) > MOST_CLASSES else ""
    return Bars("boxes a class", tuple(rows[:MOST_CLASSES]), more)


def _binned(
    values: NDArray[np.float64], ends: Sequence[float], labels: Sequence[str], above: str = ""
) -> tuple[tuple[str, int], ...]:
    """(label, count) of values up to each end; beyond the last, `above` or, without a name for it, the last label."""
    bins = np.searchsorted(np.asarray(ends), values, side="left")
    names = [*labels, above] if above else list(labels)
    count = np.bincount(np.minimum(bins, len(names) - 1), minlength=len(names))
    return tuple(zip(names, count.tolist(), strict=True))


def _share(number: int) -> str:
    return (
        "below 1/64" if number == 0 else f"1/{2 ** (7 - number)} to {'1' if number == 6 else f'1/{2 ** (6 - number)}'}"
    )


def _between(ends: Sequence[float]) -> list[str]:
    inner = [f"{low:g} to {high:g}" for low, high in pairwise(ends)]
    return [f"below {ends[0]:g}", *inner, f"above {ends[-1]:g}"]

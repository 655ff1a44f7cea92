"""Figures of classifiers: top-1 and top-5 accuracy, recall and precision of each class, and what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.data.sample import DataSet
from detrt.heads.detections import Detections

FIRST = 5
"""Classes among which the true one has to be for top-5."""
PAIRS = 10


@dataclass(frozen=True, slots=True)
class ClassShare:
    """`recall`: share of the class's pictures that are called so; `precision`: share of those called so that are it.
    None where there is none.
    """

    name: str
    pictures: int
    recall: float | None
    precision: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Classified:
    """`confusion` int64 [classes, classes]: rows the truth, columns what was said first. A picture of which nothing
    was said (an output that is no number) counts as wrong and stands in no column.
    """

    top1: float
    top5: float
    pictures: int
    classes: tuple[ClassShare, ...]
    confusion: NDArray[np.int64]

    def figures(self) -> dict[str, float]:
        """What gates, trackers and the choice of the best read."""
        return {"top1": self.top1, "top5": self.top5}

    def mistaken(self, most: int = PAIRS) -> list[tuple[str, str, int]]:
        """(truth, what was said, how often) of the most frequent mistakes."""
        wrong = self.confusion.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:most]
        rows, columns = np.unravel_index(order, wrong.shape)
        names = [c.name for c in self.classes]
        return [(names[r], names[c], int(wrong[r, c])) for r, c in zip(rows, columns, strict=True) if wrong[r, c]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        classes = [
            {"name": c.name, "pictures": c.pictures, "recall": c.recall, "precision": c.precision} for c in self.classes
        ]
        mistaken = [{"truth": a, "said": b, "pictures": n} for a, b, n in self.mistaken()]
        return {**self.figures(), "pictures": self.pictures, "classes": classes, "mistaken": mistaken}

    def lines(self, most: int = 40) -> list[str]:
        """A table for the terminal: the classes that are known worst, then all together."""
        shown = sorted((c for c in self.classes if c.pictures), key=lambda c: c.recall or 0.0)[:most]
        width = max([5, *(len(c.name) for c in shown)])
        lines = [f"{'class':<{width}}  {'pictures':>8}  {'recall':>6}  {'precision':>9}"]
        for c in shown:
            lines.append(f"{c.name:<{width}}  {c.pictures:>8}  {_shown(c.recall, 6)}  {_shown(c.precision, 9)}")
        if len(shown) < len(self.classes):
            lines.append(f"and {len(self.classes) - len(shown)} more classes")
        return [*lines, f"top-1 {self.top1:.3f}, top-5 {self.top5:.3f} of {self.pictures} pictures"]


def classified(dataset: DataSet, detections: Sequence[Detections]) -> Classified:
    """Figures of a split of whole pictures; `detections[i]` are the classes of picture i, best first."""
    count = len(dataset.classes)
    confusion = np.zeros((count, count), np.int64)
    truth = np.zeros(count, np.int64)
    first = among = 0
    for picture, found in zip(dataset.pictures, detections, strict=True):
        label = int(picture.annotation.labels[0])
        truth[label] += 1
        said = found.labels[:FIRST]
        among += bool((said == label).any())
        if len(said):
            first += int(said[0] == label)
            confusion[label, said[0]] += 1
    right, columns = confusion.diagonal(), confusion.sum(axis=0)
    classes = tuple(
        ClassShare(name, int(truth[i]), _share(right[i], truth[i]), _share(right[i], columns[i]))
        for i, name in enumerate(dataset.classes)
    )
    pictures = len(dataset)
    return Classified(first / max(1, pictures), among / max(1, pictures), pictures, classes, confusion)


def _share(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None


def _shown(value: float | None, width: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.3f}"

"""Precision and recall over the score: curves a class, and the threshold at which both are best together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detrt.evaluate.matching import Matches

STEPS = 101
"""Thresholds 0.00, 0.01 .. 1.00 of a sweep, and recalls of a curve."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """`precision`, `recall` and `f1` float64 [101] of all detections that score at least `thresholds`; precision is 1 where
    nothing is found.
    """

    thresholds: Floats
    precision: Floats
    recall: Floats
    f1: Floats

    @property
    def best(self) -> float:
        """The threshold with the highest F1; in the middle of several."""
        top = np.flatnonzero(self.f1 >= self.f1.max() - 1e-12)
        return float(self.thresholds[top[len(top) // 2]])

    def at(self, threshold: float) -> tuple[float, float, float]:
        """Precision, recall and F1 at one of the thresholds."""
        index = int(np.abs(self.thresholds - threshold).argmin())
        return float(self.precision[index]), float(self.recall[index]), float(self.f1[index])


def sweep(matches: Matches) -> Sweep:
    """Over the classes of `matches` together."""
    thresholds = np.linspace(0, 1, STEPS)
    # scores are float32: compare in float32, or a score of 0.7 would lie below the threshold 0.7
    count = np.searchsorted(-matches.scores, -thresholds.astype(np.float32), side="right")
    right = np.concatenate([[0], np.cumsum(matches.right)])[count]
    asked = int(matches.asked.sum())
    precision = np.divide(right, count, out=np.ones(STEPS), where=count > 0)
    recall = right / asked if asked else np.zeros(STEPS)
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, out=np.zeros(STEPS), where=both > 0)
    return Sweep(thresholds, precision, recall, f1)


def precision_over_recall(matches: Matches) -> Floats:
    """Highest precision at a recall of at least 0.00, 0.01 .. 1.00, 0 where it is not reached: float64 [101]."""
    asked = int(matches.asked.sum())
    if not asked or not len(matches.right):
        return np.zeros(STEPS)
    right = np.cumsum(matches.right)
    recall = right / asked
    precision = right / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    index = np.searchsorted(recall, np.linspace(0, 1, STEPS) - 1e-12, side="left")
    return np.where(index < len(envelope), envelope[np.minimum(index, len(envelope) - 1)], 0.0)

"""The distribution of a tensor over any number of batches, in a few thousand numbers of memory."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

BINS = 4096
_CHUNK = 1 << 20
"""Values that are sorted into bins at once."""

Counts = npt.NDArray[np.float64]


class Histogram:
    """Counts of all values seen, in BINS equal bins that always hold the lowest and the highest of them.

    Where a batch goes beyond the bins, two neighbours become one until it fits, so a bin is never wider than 4 / BINS of the
    range. `low` and `high` are exact. `counts=False` keeps those alone.
    """

    def __init__(self, counts: bool = True) -> None:
        self.low, self.high, self.seen = math.inf, -math.inf, 0
        self.start, self.width = 0.0, 0.0
        self.counts: Counts | None = np.zeros(BINS) if counts else None

    def add(self, values: Tensor) -> None:
        """Takes in a tensor of any shape. ValueError if a value is NaN or infinite."""
        flat = values.detach().reshape(-1)
        if not flat.numel():
            return
        low, high = (float(end) for end in torch.aminmax(flat))
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError("holds NaN" if math.isnan(low) or math.isnan(high) else "holds infinity")
        before = self.low, self.high, self.seen
        self.low, self.high, self.seen = min(self.low, low), max(self.high, high), self.seen + flat.numel()
        if self.counts is None or self.low == self.high:
            return
        if self.width == 0:
            self._begin(*before)
        self._reach(low, high)
        for chunk in torch.split(flat, _CHUNK):
            places = ((chunk.cpu().double() - self.start) / self.width).long().clamp_(0, BINS - 1)
            self.counts += torch.bincount(places, minlength=BINS).numpy()

    def _begin(self, low: float, high: float, seen: int) -> None:
        """The first bins; `seen` values before were all `low`, which is `high`."""
        self.start, self.width = self.low, (self.high - self.low) / BINS
        if seen:
            self._counted(low, seen)

    def _counted(self, value: float, times: int) -> None:
        assert self.counts is not None
        self.counts[min(BINS - 1, int((value - self.start) / self.width))] += times

    def _reach(self, low: float, high: float) -> None:
        """Merges bins until `low` and `high` are among them."""
        assert self.counts is not None
        while low < self.start or high > self.start + self.width * BINS:
            merged = self.counts.reshape(-1, 2).sum(1)
            nothing = np.zeros(BINS // 2)
            self.width *= 2
            if low < self.start:
                self.start -= self.width * (BINS // 2)
                self.counts = np.concatenate([nothing, merged])
            else:
                self.counts = np.concatenate([merged, nothing])

    def filled(self) -> tuple[Counts, Counts]:
        """(centres, counts) of the bins that are not empty; one bin where all values are the same."""
        if self.counts is None:
            raise ValueError("the values were not counted")
        if self.low == self.high:
            return np.array([self.low]), np.array([float(self.seen)])
        centres = self.start + (np.arange(BINS, dtype=np.float64) + 0.5) * self.width
        some = self.counts > 0
        return centres[some], self.counts[some]

    def percentile(self, q: float) -> float:
        """The value that `q` percent of all values do not exceed, right to the width of a bin."""
        if self.counts is None:
            raise ValueError("the values were not counted")
        if self.low == self.high:
            return self.low
        wanted = q / 100 * self.seen
        below = np.concatenate([[0.0], np.cumsum(self.counts)])
        place = min(BINS - 1, int(np.searchsorted(below, wanted, side="left") - 1) if wanted > 0 else 0)
        inside = self.counts[place]
        share = (wanted - below[place]) / inside if inside else 0.0
        return float(min(self.high, max(self.low, self.start + (place + share) * self.width)))

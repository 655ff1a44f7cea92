"""From the distribution of a tensor to the range that its numbers are to cover: min-max, percentile, entropy, mean square error.

Every range holds 0.0. All but min-max may leave out rare outliers, whose numbers then saturate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from detrt.quant.histogram import BINS, Counts, Histogram

Range = tuple[float, float]

LEVELS = 256
SHARES = np.arange(64, 3, -1) / 64
"""Shares of the whole range that a search tries, the widest first. The least still holds as many bins as there are levels."""
FLOOR = 1e-9
"""What a distribution is taken to be where the quantised one is empty, so that the divergence stays finite."""

Cost = Callable[[Counts, Counts, float, float], float]
"""Of clipping to a range, from centres and counts of bins."""


def counted(trial: Mapping[str, Any]) -> bool:
    """True if the method needs counts, not only the lowest and the highest value."""
    return bool(trial["name"] != "minmax")


def range_of(histogram: Histogram, trial: Mapping[str, Any]) -> Range:
    """(low, high) by `trial`: {"name": "minmax" | "percentile" | "entropy" | "mse", "q": percentile}.

    A tensor that only ever held 0.0 gives (0, 0), another constant the range from 0 to it. ValueError for an unknown name.
    """
    low, high = histogram.low, histogram.high
    match trial["name"]:
        case "minmax":
            pass
        case "percentile":
            q = float(trial["q"])
            low, high = histogram.percentile(100 - q), histogram.percentile(q)
        case "entropy":
            low, high = _searched(histogram, divergence)
        case "mse":
            low, high = _searched(histogram, square_error)
        case other:
            raise ValueError(f"there is no way `{other}` to read a range")
    return min(low, 0.0), max(high, 0.0)


def _searched(histogram: Histogram, cost: Cost) -> Range:
    """The range of least cost: first the upper end is moved in, then the lower one; of equals the widest."""
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    if low == high or histogram.low == histogram.high:
        return low, high
    centres, counts = histogram.filled()
    if high > 0:
        high = min((high * share for share in SHARES), key=lambda end: cost(centres, counts, low, end))
    if low < 0:
        low = min((low * share for share in SHARES), key=lambda end: cost(centres, counts, end, high))
    return float(low), float(high)


def square_error(centres: Counts, counts: Counts, low: float, high: float) -> float:
    """Sum over all values of (value - its quantised value)^2, with LEVELS levels from low to high, one of them exactly 0."""
    scale = (high - low) / (LEVELS - 1)
    zero = np.floor(-low / scale + 0.5)
    levels = np.clip(np.floor(centres / scale + 0.5) + zero, 0, LEVELS - 1)
    return float(np.dot(counts, (centres - (levels - zero) * scale) ** 2))


def divergence(centres: Counts, counts: Counts, low: float, high: float) -> float:
    """Kullback-Leibler divergence from the clipped distribution to the quantised one (Migacz, 8-bit inference with TensorRT, GTC
    2017, slides 27 to 31), here for ranges with two ends: what is outside counts for the outermost bins inside, LEVELS levels
    share the bins, and a level's values are spread evenly over its bins that are not empty.
    """
    inside = (centres >= low) & (centres <= high)
    if not inside.any():
        return float("inf")
    p = counts[inside]
    level = np.minimum(((centres[inside] - low) / (high - low) * LEVELS).astype(np.int64), LEVELS - 1)
    totals, bins = np.bincount(level, p, LEVELS), np.bincount(level, minlength=LEVELS)
    q = totals[level] / bins[level]
    p = p.copy()
    p[0] += counts[centres < low].sum()
    p[-1] += counts[centres > high].sum()
    p, q = p / p.sum(), np.maximum(q / q.sum(), FLOOR)
    return float(np.dot(p, np.log(p / q)))


assert SHARES.min() * BINS >= LEVELS

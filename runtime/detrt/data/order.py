"""Which pictures make up which batch. Depends on (seed, epoch) alone, so any number of processes sees the same batches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detrt.errors import DetrtError

Indices = NDArray[np.intp]


def shuffled_batches(count: int, batch: int, seed: int, epoch: int) -> list[Indices]:
    """Full batches of a permutation of 0..count-1; what is left over has its turn in another epoch. A set smaller
    than one batch is one batch.
    """
    order = np.random.default_rng([seed, epoch]).permutation(count)
    batch = min(batch, count)
    return [order[start : start + batch] for start in range(0, count - batch + 1, batch)]


def plain_batches(count: int, batch: int) -> list[Indices]:
    """0..count-1 in order; the last batch may be smaller."""
    return [np.arange(start, min(start + batch, count)) for start in range(0, count, batch)]


def share(batch: Indices, rank: int, world: int) -> Indices:
    """The part of a global batch that process `rank` of `world` works on. Parts differ by at most one picture."""
    return np.array_split(batch, world)[rank]


def require_work_for_all(batch: int, count: int, world: int) -> None:
    """Raises DetrtError where a process would have no picture of a training batch."""
    if min(batch, count) < world:
        raise DetrtError(
            f"a batch of {min(batch, count)} pictures cannot be split over {world} processes",
            "train.batch",
            "start fewer processes",
        )

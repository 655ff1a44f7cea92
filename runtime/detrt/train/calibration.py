"""A calibration stage: caps of the activations, measured on training pictures; no step of an optimiser."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from detrt.lock import Caps, Lock, Stage
from detrt.train.contracts import Backend
from detrt.train.network import Network, Pictures

Score = Callable[[Network], float]
"""How well a network does on the validation split: its map50."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """`caps` by name of the relu node; `percentile` the one they were taken at; `scores` of all that were tried, by
    percentile.
    """

    caps: dict[str, float]
    percentile: float
    scores: dict[float, float]


def calibrate(
    network: Network,
    lock: Lock,
    stage: Stage,
    backend: Backend,
    pictures: Pictures,
    score: Score | None,
    say: Callable[[str], None],
) -> Calibration:
    """Measures caps on `stage.images` pictures. With `choose`, the percentile whose quantised network scores best,
    the first of equals.
    """
    options = stage.calibrate.caps if stage.calibrate else Caps()
    percentiles = options.choose if options.choose and score is not None else [options.q]
    network.model.eval()
    measured = backend.measure(network.model, lock.raw, pictures(stage.images or 500), percentiles)
    if score is None or len(percentiles) == 1:
        return Calibration(measured[0], percentiles[0], {})
    scores: dict[float, float] = {}
    for percentile, caps in zip(percentiles, measured, strict=True):
        scores[percentile] = score(Network(_quantised(network.model, lock, stage, backend, caps)))
        say(f"  percentile {percentile:g}: map50 {scores[percentile]:.3f} before any training")
    best = max(percentiles, key=lambda percentile: scores[percentile])
    return Calibration(measured[percentiles.index(best)], best, scores)


def _quantised(model: nn.Module, lock: Lock, stage: Stage, backend: Backend, caps: dict[str, float]) -> nn.Module:
    """A copy of `model` with its activations held to `caps`, as the next stage will have it."""
    trial = lock.raw_stage(stage.id)
    trial["quantize"] = {**trial["quantize"], "activations": {"stage": stage.id}}
    return backend.prepare(copy.deepcopy(model), lock.raw, trial, caps).eval()

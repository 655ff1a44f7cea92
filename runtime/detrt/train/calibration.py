"""A calibration stage: caps of activations, or ranges of all tensors, measured on training pictures; no step is taken."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from detrt.errors import DetrtError
from detrt.lock import Caps, Lock, Stage
from detrt.train.beginning import first_model
from detrt.train.context import Context
from detrt.train.contracts import Backend
from detrt.train.network import Network, quantise
from detrt.train.outcome import Outcome
from detrt.train.precision import exact_float32
from detrt.train.progress import duration
from detrt.train.ranging import measure_ranges
from detrt.train.tasks import is_classifier

Score = Callable[[Network], float]
"""How well a network does on the validation split: its map50, a classifier's top1."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """`caps` by name of the relu node; `percentile` at which they were taken; `scores` of all tried, by percentile."""

    caps: dict[str, float]
    percentile: float
    scores: dict[float, float]


def calibrate_stage(context: Context, number: int, stage: Stage) -> Outcome:
    """Measures the caps or the ranges of a stage. Raises DetrtError without a target."""
    if context.backend is None:
        problem = f"stage `{stage.id}` calibrates activations, but the lock has no target"
        raise DetrtError(problem, remedy="build with --target")
    if stage.ranges is not None:
        return measure_ranges(context, stage, stage.ranges, context.backend)
    exact_float32(True)
    begun = time.monotonic()
    torch.manual_seed(stage.seed or 0)
    pictures = context.pictures(stage)
    network = quantise(first_model(context, stage), context.lock, stage, None, context.backend, True, pictures)
    network.model.to(context.processes.device)

    figure = "top1" if is_classifier(context.lock, stage.model) else "map50"

    def score(trial: Network) -> float:
        return context.validate(stage, trial, "val").metrics[figure]

    scored = score if context.task(stage).has_split("val") else None
    found = calibrate(
        network, context.lock, stage, context.backend, context.calibrating(stage), scored, context.progress.note
    )
    took = duration(time.monotonic() - begun)
    context.progress.note(f"{stage.name}: {len(found.caps)} caps at percentile {found.percentile:g}, {took}")
    scores = {f"{figure}/percentile {percentile:g}": value for percentile, value in found.scores.items()}
    return Outcome({"percentile": found.percentile, **scores}, "calibrated", stage.seed, caps=found.caps)


def calibrate(
    network: Network,
    lock: Lock,
    stage: Stage,
    backend: Backend,
    batches: Iterable[Tensor],
    score: Score | None,
    say: Callable[[str], None],
) -> Calibration:
    """Measures caps on `batches`. With `choose`, the percentile whose quantised network scores best, the
    first of equals.
    """
    options = (stage.calibrate.caps if stage.calibrate else None) or Caps()
    percentiles = options.choose if options.choose and score is not None else [options.q]
    network.model.eval()
    measured = backend.measure(network.model, lock.raw_of(stage.model), batches, percentiles)
    if score is None or len(percentiles) == 1:
        return Calibration(measured[0], percentiles[0], {})
    scores: dict[float, float] = {}
    for percentile, caps in zip(percentiles, measured, strict=True):
        scores[percentile] = score(Network(_quantised(network.model, lock, stage, backend, caps)))
        say(f"  percentile {percentile:g}: {scores[percentile]:.3f} before any training")
    best = max(percentiles, key=lambda percentile: scores[percentile])
    return Calibration(measured[percentiles.index(best)], best, scores)


def _quantised(model: nn.Module, lock: Lock, stage: Stage, backend: Backend, caps: dict[str, float]) -> nn.Module:
    """A copy of `model` with its activations held to `caps`, as the next stage will have it."""
    trial = lock.raw_stage(stage.id)
    trial["quantize"] = {**trial["quantize"], "activations": {"stage": stage.id}}
    return backend.prepare(copy.deepcopy(model), lock.raw_of(stage.model), trial, caps).eval()

"""A calibration of ranges: float weights prepared for int8, the range of every tensor, and the score of the int8 net."""

from __future__ import annotations

import copy
import time
from typing import Any

import torch
from torch import nn

from detrt.errors import DetrtError
from detrt.lock import Ranges, Stage
from detrt.train.beginning import first_model
from detrt.train.checkpoint import write_checkpoint
from detrt.train.context import Context
from detrt.train.contracts import Backend
from detrt.train.network import quantise
from detrt.train.outcome import Outcome
from detrt.train.precision import exact_float32
from detrt.train.progress import duration

Caps = dict[str, float]


def measure_ranges(context: Context, stage: Stage, options: Ranges, backend: Backend) -> Outcome:
    """Evens out layers and corrects biases where asked for, measures, and keeps a checkpoint of these weights and ranges.

    Of several percentiles the one whose int8 net validates best is taken, the first of equals. Without a validation split
    nothing is scored. Raises DetrtError if the target knows no ranges, without pictures, or for NaN.
    """
    if getattr(backend, "measure_ranges", None) is None:
        raise DetrtError(f"stage `{stage.id}` measures ranges, which the target has no use for", remedy="build again")
    exact_float32(True)
    begun = time.monotonic()
    torch.manual_seed(stage.seed or 0)
    model = first_model(context, stage).to(context.processes.device).eval()
    _prepare_weights(context, stage, options, backend, model)
    scored = context.task(stage).has_split("val")
    trials = options.trials(scored)
    measured = backend.measure_ranges(model, context.lock.raw_of(stage.model), context.calibrating(stage), trials)
    figures = [_validated(context, stage, model, caps, "val") for caps in measured] if scored else [{}]
    best = max(range(len(measured)), key=lambda number: figures[number].get(stage.choose, 0.0) * _sign(stage))
    metrics = dict(figures[best])
    if trials[best]["q"] is not None:
        metrics["percentile"] = trials[best]["q"]
    if len(trials) > 1:
        for trial, found in zip(trials, figures, strict=True):
            context.progress.note(f"  percentile {trial['q']:g}: {found[stage.choose]:.3f}")
            metrics[f"{stage.choose}/percentile {trial['q']:g}"] = found[stage.choose]
    context.processes.first_does(lambda: _keep(context, stage, model, measured[best], metrics))
    final, split = metrics, "val"
    if context.task(stage).has_split("test"):
        final, split = _validated(context, stage, model, measured[best], "test"), "test"
    took = duration(time.monotonic() - begun)
    score = f", {stage.choose} {metrics[stage.choose]:.3f}" if stage.choose in metrics else ""
    context.progress.note(f"{stage.name}: {len(measured[best]) // 2} ranges by {options.name}{score}, {took}")
    return Outcome(metrics, "calibrated", stage.seed, final, split, caps=measured[best])


def _prepare_weights(context: Context, stage: Stage, options: Ranges, backend: Backend, model: nn.Module) -> None:
    if options.equalize:
        pairs = backend.equalize(model, context.lock.raw_of(stage.model))
        context.progress.note(f"{stage.name}: {pairs} pairs of layers evened out")
    if options.correct_bias:
        layers = backend.correct_bias(model, context.lock.raw_of(stage.model), context.calibrating(stage))
        context.progress.note(f"{stage.name}: biases of {layers} layers corrected")


def _validated(context: Context, stage: Stage, model: nn.Module, caps: Caps, split: str) -> dict[str, float]:
    """Figures of the int8 net with these ranges, in the device's arithmetic."""
    network = quantise(
        copy.deepcopy(model), context.lock, stage.left(), caps, context.backend, False, context.pictures(stage)
    )
    network.model.eval()
    return dict(context.validate(stage, network, split).metrics)


def _sign(stage: Stage) -> int:
    return -1 if stage.choose == "loss" else 1


def _keep(context: Context, stage: Stage, model: nn.Module, caps: Caps, metrics: dict[str, float]) -> None:
    state: dict[str, Any] = {
        "identity": context.identity(stage),
        "epoch": 0,
        "metrics": metrics,
        "seed": stage.seed,
        "caps": caps,
        "output_scale": 1.0,
    }
    write_checkpoint(context.folder.best(stage.id), model.state_dict(), state)

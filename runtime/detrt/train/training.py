"""A training stage from beginning to end: its first weights or its last checkpoint, its epochs, its final figures."""

from __future__ import annotations

import secrets
import time

import torch
from torch import nn

from detrt.lock import Stage
from detrt.train.beginning import first_model, frozen_line, standing_still, transfer_of
from detrt.train.checkpoint import check_fits, read_newest, read_weights
from detrt.train.context import Context
from detrt.train.network import load_weights, make_model, quantise
from detrt.train.norms import share_norms
from detrt.train.outcome import Outcome
from detrt.train.precision import exact_float32, repeatable
from detrt.train.progress import duration
from detrt.train.snapshot import RESUMABLE
from detrt.train.stages import TrainingStage
from detrt.train.trackers import Scene, Trackers


def train_stage(context: Context, number: int, stage: Stage) -> Outcome:
    """Trains stage `number`, or goes on with it where its last checkpoint stands."""
    exact_float32(stage.quantize.any())
    repeatable(stage.deterministic and stage.seed is not None)
    training, engine = _begun(context, number, stage)
    folder = context.folder.stage(stage.id)
    config = {"spec": context.lock.spec.name, "seed": training.seed}
    scene = Scene(context.folder.path.name, stage.id, folder, training.at.epoch, config)
    trackers = Trackers(context.options.trackers if context.processes.first else (), scene, context.progress.say)
    held = standing_still(training.learner.model, stage)
    if held is not None:
        context.progress.note(f"{stage.name}: {frozen_line(held)}")
    begun = time.monotonic()
    try:
        with context.progress.stage(stage.name, stage.epochs):
            at = training.run(trackers)
    finally:
        trackers.close()
    _tell_clipped(context, training.learner.best)
    final, split = at.best_metrics, "val"
    if context.task(stage).has_split("test"):  # which has chosen nothing
        best = context.folder.best(stage.id)
        load_weights(training.learner.model, context.processes.first_does(lambda: read_weights(best)), best)
        final, split = context.validate(stage, training.learner.network, "test").metrics, "test"
    took = duration(time.monotonic() - begun)
    context.progress.note(f"{stage.name}: {at.ended}, best in epoch {at.best_epoch}, {took}")
    return Outcome(
        at.best_metrics,
        at.ended,
        training.seed,
        final,
        split,
        at.epoch,
        at.best_epoch,
        at.seconds,
        transfer=context.processes.first_does(lambda: transfer_of(context, stage)),
        frozen=held,
        engine=engine,
    )


def _begun(context: Context, number: int, stage: Stage) -> tuple[TrainingStage, str | None]:
    """The stage at its first step, or as its newest good checkpoint left it; whose code runs it in time, if it does."""
    last = context.folder.last(stage.id)
    processes, progress = context.processes, context.progress
    checkpoint = processes.first_does(lambda: read_newest(last, progress.say))
    if checkpoint is not None:
        checkpoint.require(RESUMABLE, last)
        context.require_same(stage, checkpoint.state["identity"], last)
        seed = int(checkpoint.state["seed"])
        model = make_model(context.models, context.lock, stage.model)
        check_fits(model, checkpoint.group("model"), last)
        model.load_state_dict(checkpoint.group("model"))
    else:
        seed = processes.share(stage.seed if stage.seed is not None else secrets.randbelow(2**31))
        torch.manual_seed(seed)
        model = first_model(context, stage)
    network = quantise(
        model, context.lock, stage, context.caps(stage), context.backend, checkpoint is None, context.pictures(stage)
    )
    engine = _engine(context, stage, network.model)
    if stage.sync_bn:
        network.model = share_norms(network.model, processes)
    context.interrupts.begin_stage(context.folder.stage(stage.id))
    training = TrainingStage(context, stage, number, network, seed)
    if checkpoint is not None:
        training.restore(checkpoint)
        progress.note(f"{stage.name}: going on at epoch {training.at.epoch + 1}, step {training.at.step + 1}")
    return training, engine


def _engine(context: Context, stage: Stage, model: nn.Module) -> str | None:
    """Whose code trains a stage that runs in time, where the device package knows of several."""
    choose = getattr(context.backend, "choose_engine", None)
    module = (context.slayer or {}).get(stage.model)
    chosen = choose(model, context.options.engine, module) if choose is not None else None
    if chosen is None:
        return None
    name, why = chosen
    context.progress.note(f"{stage.name}: {why}")
    return str(name)


def _tell_clipped(context: Context, model: nn.Module) -> None:
    """A line for every layer whose integers left the device's range, which a vendor's tool may let pass in silence."""
    clipped = getattr(context.backend, "clipped", None)
    for layer, found in (clipped(model) if clipped is not None else {}).items():
        context.progress.say(f"warning: `{layer}`: {found}")

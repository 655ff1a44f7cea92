"""A pruning stage: the weights of another model's stage, cut down to this one; no step of an optimiser."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from detrt.errors import DetrtError
from detrt.lock import Derived, Stage
from detrt.train.beginning import weights_of
from detrt.train.channels import Cut, cut
from detrt.train.checkpoint import read_weights, write_checkpoint
from detrt.train.context import Context
from detrt.train.folder import write_text
from detrt.train.network import load_weights, make_model, quantise
from detrt.train.outcome import Outcome
from detrt.train.precision import exact_float32, place
from detrt.train.progress import duration


def prune_stage(context: Context, number: int, stage: Stage) -> Outcome:
    """Cuts the weights that `stage` starts from, scores what is left, and writes it as the stage's best and last checkpoint,
    with the narrow model as a plain spec beside them. Raises DetrtError where they are not of the model that was pruned.
    """
    plan = context.lock.model_named(stage.model).derived
    if plan is None or stage.prune is None or stage.start is None:
        raise DetrtError(f"stage `{stage.id}` prunes, and `{stage.model}` is no pruned model", remedy="build again")
    begun = time.monotonic()
    exact_float32(stage.quantize.any())
    seed = context.processes.share(stage.seed or 0)
    path = weights_of(context, stage.start)
    weights = context.processes.first_does(lambda: read_weights(path))
    result = cut(weights, plan, stage.prune.channels, seed)
    model = make_model(context.models, context.lock, stage.model)
    own = model.state_dict()
    load_weights(model, {name: tensor for name, tensor in result.weights.items() if name in own}, path)
    place(model, context.processes.device, torch.channels_last if stage.channels_last else torch.contiguous_format)
    network = quantise(model, context.lock, stage, None, context.backend, False, context.pictures(stage))
    task = context.task(stage)
    metrics = context.validate(stage, network, "val").metrics if task.has_split("val") else {}
    final, split = metrics, "val"
    if task.has_split("test"):
        final, split = context.validate(stage, network, "test").metrics, "test"
    state = {
        "identity": context.identity(stage),
        "epoch": 0,
        "metrics": metrics,
        "seed": seed,
        "caps": None,
        "output_scale": 1.0,
    }
    context.processes.first_does(lambda: _write(context, stage, network.model.state_dict(), state, plan))
    left = sum(group.after for group in plan.groups)
    took = duration(time.monotonic() - begun)
    context.progress.note(
        f"{stage.name}: {left} of {sum(g.before for g in plan.groups)} channels left ({stage.prune.channels}), {took}"
    )
    return Outcome(metrics, "pruned", seed, final, split, pruned=told(plan, result))


def told(plan: Derived, result: Cut) -> list[dict[str, Any]]:
    """For every group that lost something which of its units are left."""
    return [
        {"layers": group.layers, "before": group.before, "after": group.after, "left": units}
        for group, units in zip(plan.groups, result.kept, strict=True)
        if group.after < group.before
    ]


def _write(context: Context, stage: Stage, weights: dict[str, Tensor], state: dict[str, Any], plan: Derived) -> None:
    for path in (context.folder.best(stage.id), context.folder.last(stage.id)):
        write_checkpoint(path, weights, state)
    if plan.spec is not None:
        name = stage.model if stage.model.isidentifier() else "pruned"
        write_text(context.folder.stage(stage.id) / f"{name}.det", plan.spec)

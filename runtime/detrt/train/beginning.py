"""The weights that a stage begins with: another stage's, those of a file, or new ones; and what was taken from where."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from detrt.errors import DetrtError
from detrt.lock import Pretrained, Stage, Start
from detrt.train.checkpoint import read_weights
from detrt.train.context import Context
from detrt.train.folder import write_text
from detrt.train.initialise import initialise
from detrt.train.network import frozen, load_weights, make_model
from detrt.weights.found import Found, count
from detrt.weights.matching import match
from detrt.weights.reading import read_file
from detrt.weights.transfer import lines

TOLD = "transfer.json"
"""In the stage's folder: what was taken, for the run's result, also after it was gone on with."""


def first_model(context: Context, stage: Stage) -> nn.Module:
    """The model with its first weights. What is not taken over is initialised, on pictures that go through what is."""
    model = make_model(context.models, context.lock, stage.model)
    described = context.lock.model_named(stage.model)
    found, whole = _source(context, stage)
    kept: set[str] = set()
    if found is not None and whole:
        load_weights(model, dict(found.tensors), Path(found.source))
        return model
    if found is not None:
        found = _translated(context, stage, found, model)
        transfer = match(model.state_dict(), found, stage.load)
        model.load_state_dict({**model.state_dict(), **transfer.weights()})
        kept = transfer.modules()
        told = transfer.as_dict()
        context.processes.first_does(lambda: _keep(context, stage, told))
        for line in lines(told):
            context.progress.note(f"{stage.name}: {line}")
    initialise(model, described, stage.init, context.pictures(stage)(stage.part), kept)
    return model


def _source(context: Context, stage: Stage) -> tuple[Found | None, bool]:
    """The weights to take from, and whether they have to be all of the model's. Read by the first process alone."""
    given, start, pretrained = context.options.init_from, stage.start, stage.pretrained
    if start is not None and (given is None or start.stage in context.results):
        path = weights_of(context, start)
        whole = not stage.load and context.lock.stage_with_id(start.stage).model == stage.model
        source = f"{start.stage}.{start.which}" if not whole else str(path)
        return Found.sorted(source, context.processes.first_does(lambda: read_weights(path))), whole
    if given is not None and given.suffix != ".safetensors":
        return context.processes.first_does(lambda: read_file(given)), False
    if given is not None:
        return Found.sorted(str(given), context.processes.first_does(lambda: read_weights(given))), not stage.load
    if pretrained is not None:
        return context.processes.first_does(lambda: _pretrained(context, stage, pretrained)), False
    return None, False


def _translated(context: Context, stage: Stage, found: Found, model: nn.Module) -> Found:
    """Tensors under the model's names, where the device's own tools call them otherwise."""
    translate = getattr(context.backend, "translate", None)
    if translate is None:
        return found
    translated: Mapping[str, Tensor] = translate(found.tensors, context.lock.raw_of(stage.model), model.state_dict())
    return replace(found, tensors=translated)


def _pretrained(context: Context, stage: Stage, wanted: Pretrained) -> Found:
    """The file that a stage names, looked for as relative data roots are. Raises DetrtError."""
    name = Path(wanted.path).expanduser()
    tried = [name] if name.is_absolute() else [base / name for base in context.bases]
    path = next((path for path in tried if path.is_file()), None)
    if path is None:
        listed = ", ".join(str(path) for path in tried)
        raise DetrtError(
            f"the weights `{wanted.path}` are not there: looked for as {listed}",
            f"train.{stage.id}.pretrained",
            "detc ships no weights; put the file there, or leave `pretrained` out",
        )
    found = read_file(path)
    about = {"sha256": _sha256(path), "dataset": wanted.dataset, "input_shape": wanted.input_shape, **found.about}
    return replace(found, source=wanted.path, about=about)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def weights_of(context: Context, start: Start) -> Path:
    """The checkpoint of another stage's weights; a calibration of caps has those that it began with, one of ranges its own."""
    stage = context.lock.stage_with_id(start.stage)
    if stage.ranges is not None:
        return context.folder.best(stage.id)
    if stage.kind == "calibrate" and stage.start is not None:
        return weights_of(context, stage.start)
    return context.folder.best(stage.id) if start.which == "best" else context.folder.last(stage.id)


# ---- for the record -------------------------------------------------------------------------------------------------


def _keep(context: Context, stage: Stage, told: Mapping[str, Any]) -> None:
    write_text(context.folder.stage(stage.id) / TOLD, json.dumps(told, indent=2) + "\n")


def transfer_of(context: Context, stage: Stage) -> dict[str, Any] | None:
    """What the stage took over when it began; None if it was all or nothing."""
    path = context.folder.stage(stage.id) / TOLD
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def standing_still(model: nn.Module, stage: Stage) -> dict[str, Any] | None:
    """What `freeze` holds when the stage begins; None for nothing."""
    if not stage.freeze.prefixes:
        return None
    everything: Sequence[tuple[str, Tensor]] = list(model.named_parameters())
    held = [value for name, value in everything if frozen(name, stage, 0)]
    return {
        "parts": stage.freeze.prefixes,
        "epochs": stage.freeze.epochs,
        "tensors": len(held),
        "of_tensors": len(everything),
        "values": sum(value.numel() for value in held),
        "of_values": sum(value.numel() for _, value in everything),
    }


def frozen_line(held: Mapping[str, Any]) -> str:
    """For the terminal."""
    epochs = held["epochs"]
    span = "in all epochs" if epochs is None else f"for {epochs} epoch{'' if epochs == 1 else 's'}"
    share = f"{held['tensors']} of {held['of_tensors']} tensors, {count(held['values'])} of {count(held['of_values'])} values"
    return f"{', '.join(held['parts'])} stands still {span}: {share}, with the statistics of its batch norms"

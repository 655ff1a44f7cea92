"""A patient from a build folder: the lock's first training stage, its data checked, its network as training would begin
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from detrt.doctor.patient import Patient
from detrt.errors import DetrtError
from detrt.lock import Lock, Stage, read_lock
from detrt.predictor import LOCK, model_classes
from detrt.train.initialise import initialise
from detrt.train.network import ModelClasses, make_model
from detrt.train.overrides import apply_sets
from detrt.train.roots import data_bases
from detrt.train.tasks import task_of


def admit(
    build: Path,
    *,
    stage: str | None = None,
    sets: Sequence[str] = (),
    data_root: Path | None = None,
    device: str = "cpu",
    workers: int = 2,
    classes: ModelClasses | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Patient:
    """Reads lock, model.py and label files of the build folder `build`; `stage` defaults to the first that trains
    in floats.

    `say` gets the lines of the label check. Raises DetrtError where anything of it cannot be used.
    """
    lock = apply_sets(read_lock(build / LOCK), list(sets))
    chosen = _stage(lock, stage)
    task = task_of(lock, chosen.model, chosen.data, data_bases(data_root, build / LOCK), torch.device(device))
    task.check_labels(say)
    given = classes if classes is not None else model_classes(build, lock)

    def make() -> nn.Module:
        model = make_model(given, lock, chosen.model)
        initialise(
            model, lock.model_named(chosen.model), chosen.init, task.pictures(chosen.batch, chosen.batch, workers)
        )
        return model

    return Patient(
        f"{lock.spec.name}, stage {chosen.id}",
        task.dataset("train"),
        task.encoding,
        task.head(chosen),
        make,
        chosen.optimizer,
        chosen.batch,
        chosen.augment,
        chosen.seed or 0,
        workers,
        device,
    )


def _stage(lock: Lock, name: str | None) -> Stage:
    trained = [stage for stage in lock.stages if stage.kind == "train" and not stage.quantize.any()]
    chosen = [stage for stage in trained if name is None or name in (stage.name, stage.id)]
    if not chosen:
        known = ", ".join(stage.name for stage in trained)
        raise DetrtError(
            f"no stage `{name}` that trains in floats" if name else "no stage trains in floats", LOCK, f"known: {known}"
        )
    return chosen[0]

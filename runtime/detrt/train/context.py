"""What all stages of one run share, and what they find out about each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from detrt.lock import Lock, Stage
from detrt.train.checkpoint import CheckpointError, differing_keys, shortened
from detrt.train.contracts import Backend, Task
from detrt.train.distributed import Processes
from detrt.train.folder import RunFolder, StageResult
from detrt.train.interrupts import Interrupts
from detrt.train.network import ModelClasses, Network
from detrt.train.options import Options
from detrt.train.progress import Progress
from detrt.train.validation import Validation, validate

TaskMaker = Callable[[Lock, Stage, Sequence[Path], Processes], Task]

IMAGES = 500
"""Pictures of a calibration of which nothing says how many."""

_MAY_CHANGE = {"span", "save_every", "gates", "epochs", "early_stop", "choose"}
"""Keys of a stage that a resumed run may set anew: they change how long it goes on and what it keeps."""


@dataclass(slots=True)
class Context:
    """`bases`: where relative data roots are looked for. `results`: of the stages that are done, by id. `slayer`: the modules of
    the project that have its nets in lava-dl's blocks, by model.
    """

    models: ModelClasses
    lock: Lock
    options: Options
    processes: Processes
    progress: Progress
    interrupts: Interrupts
    folder: RunFolder
    bases: Sequence[Path]
    make_task: TaskMaker
    backend: Backend | None
    workers: int
    slayer: Mapping[str, str] | None = None
    results: dict[str, StageResult] = field(default_factory=dict)
    tasks: dict[tuple[str, str], Task] = field(default_factory=dict)
    _hashes: dict[str, str] = field(default_factory=dict)

    def task(self, stage: Stage) -> Task:
        """The task of a stage; labels are checked when a data set is used for the first time."""
        key = (stage.model, stage.data)
        if key not in self.tasks:
            task = self.make_task(self.lock, stage, self.bases, self.processes)
            task.check_labels(self.progress.note)
            self.tasks[key] = task
        return self.tasks[key]

    def pictures(self, stage: Stage) -> Callable[[int], Iterable[Tensor]]:
        """Gives encoded batches of about so many training pictures, the same in every process."""
        task = self.task(stage)
        return lambda images: task.pictures(images, batch=stage.part, workers=self.workers)

    def calibrating(self, stage: Stage) -> Iterable[Tensor]:
        """The pictures of a calibration, which may be gone through more than once: `images` of the stage, or the share that its
        data sets aside for calibrations; at most `images` of that where both are given.
        """
        shared = "quantization_split" in self.lock.data[stage.data].options
        images = stage.images or (None if shared else IMAGES)
        return self.task(stage).pictures(images, batch=stage.part, workers=self.workers, calibrating=shared)

    def validate(self, stage: Stage, network: Network, split: str) -> Validation:
        """Figures of `network` on a split of the stage's data."""
        task, processes = self.task(stage), self.processes
        shape: dict[str, Any] = {"rank": processes.rank, "world": processes.world, "workers": self.workers}
        loader = task.plain_loader(split, batch=stage.part, steps=stage.time_steps, **shape)
        found = validate(network, network.model, task, task.head(stage), split, loader, processes, stage.score)
        assert found is not None  # nothing was asked to stop it
        return found

    def caps(self, stage: Stage) -> dict[str, float] | None:
        """What the calibration that `stage` relies on has measured."""
        source = stage.quantize.int8 or stage.quantize.activations
        return self.results[source.stage].caps if source is not None else None

    def classes(self) -> list[str]:
        """Those of the data that was used last: a chain ends with what it is made for."""
        return list(list(self.tasks.values())[-1].classes) if self.tasks else self.lock.model.classes()

    def data_hashes(self) -> dict[str, str]:
        for (_, name), task in self.tasks.items():
            if name not in self._hashes:
                self._hashes[name] = task.data_hash()
        return self._hashes

    def identity(self, stage: Stage) -> dict[str, Any]:
        """What has to be the same for a checkpoint to belong to this stage of this spec."""
        settings = {key: value for key, value in self.lock.raw_stage(stage.id).items() if key not in _MAY_CHANGE}
        model = self.lock.model_named(stage.model)
        return {
            "spec": self.lock.spec.name,
            "params": self.lock.spec.params,
            "model": {
                "name": model.name,
                "class": model.class_name,
                "input": list(model.input.shape),
                "sha256": self.lock.model_sha256(stage.model),
            },
            "classes": list(self.task(stage).classes),
            "target": self.lock.target.name if self.lock.target else None,
            "stage": settings,
        }

    def require_same(self, stage: Stage, saved: dict[str, Any], path: Path, settings: bool = True) -> None:
        """Raises CheckpointError, with the keys that differ, if a result is of another spec; or, with `settings`, if it
        was made otherwise.
        """
        present = self.identity(stage)
        if not settings:
            saved, present = {**saved, "stage": None}, {**present, "stage": None}
        elif stage.seed is None:  # a drawn seed belongs to the run, not to the spec
            present["stage"]["seed"] = saved.get("stage", {}).get("seed")
        lines = differing_keys(saved, present)
        if lines:
            raise CheckpointError(
                f"the checkpoint of stage `{stage.id}` is of another spec:\n{shortened(lines)}",
                path,
                "use the spec it was trained with, or start a new run",
            )


def lock_task(lock: Lock, stage: Stage, bases: Sequence[Path], processes: Processes) -> Task:
    """The task of a stage, from the lock's data and head."""
    from detrt.train.tasks import task_of

    return task_of(lock, stage.model, stage.data, bases, processes.device)


def suitable_workers(processes: Processes) -> int:
    """Loader threads of one process: the machine's cores shared out, at most 8."""
    return max(1, min(8, (os.cpu_count() or 2) // processes.world))

"""The run: every stage of the lock in order, its gates, its final figures, `result.json`."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from detrt.devices import backend as device_package
from detrt.errors import DetrtError
from detrt.lock import Lock, Stage, Start, earlier_stages, read_lock
from detrt.train.calibration import calibrate
from detrt.train.checkpoint import CheckpointError, check_fits, differing_keys, read_newest, shortened
from detrt.train.contracts import Task
from detrt.train.distributed import Processes, process_group
from detrt.train.folder import RunFolder, StageResult, choose_run
from detrt.train.gates import judge_all
from detrt.train.initialise import initialise
from detrt.train.interrupts import Interrupted, Interrupts
from detrt.train.memory import keep_freed_memory
from detrt.train.network import ModelClasses, Network, load_weights, make_model, quantise
from detrt.train.options import Options, parse_options
from detrt.train.precision import exact_float32, repeatable
from detrt.train.progress import Progress, duration
from detrt.train.result import table, write_result
from detrt.train.roots import data_bases
from detrt.train.stages import RESUMABLE, TrainingStage
from detrt.train.trackers import Scene, Trackers
from detrt.train.validation import validate

TaskMaker = Callable[[Lock, Stage, Sequence[Path], Processes], Task]


def main(model: ModelClasses, lock_path: str | Path, argv: Sequence[str] | None = None) -> int:
    """Trains; what a generated `train.py` calls. Returns the exit code: 0 done, 1 a mistake or a failed gate, 130
    interrupted.
    """
    options = parse_options(sys.argv[1:] if argv is None else argv)
    return train(model, Path(lock_path), options)


def train(model: ModelClasses, lock_path: Path, options: Options, make_task: TaskMaker | None = None) -> int:
    """As `main`, from options that are already read."""
    with_rank = int(os.environ.get("RANK", "0"))
    try:
        lock = options.applied(read_lock(lock_path))
        with process_group(options.device) as processes:
            if processes.device.type == "cpu":
                keep_freed_memory()
            return Run(model, lock, lock_path, options, processes, make_task or _detection_task).run()
    except DetrtError as error:
        if with_rank == 0 or not isinstance(error, CheckpointError):
            print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    except Interrupted as stop:
        if with_rank == 0:
            print("interrupted: the state is kept; go on with --resume", file=sys.stderr, flush=True)
        return 128 + stop.signal
    except KeyboardInterrupt:
        if with_rank == 0:
            print("interrupted: go on from the last checkpoint with --resume", file=sys.stderr, flush=True)
        return 128 + signal.SIGINT


class Run:
    """One run of the stages of `lock`, in its own folder."""

    def __init__(
        self,
        model: ModelClasses,
        lock: Lock,
        lock_path: Path,
        options: Options,
        processes: Processes,
        make_task: TaskMaker,
    ) -> None:
        self.model, self.lock, self.options, self.processes = model, lock, options, processes
        self.progress = Progress(processes.first, options.quiet, options.print_every)
        self.interrupts = Interrupts()
        self.bases = data_bases(options.data_root, lock_path)
        self.make_task = make_task
        self.tasks: dict[tuple[str, str], Task] = {}
        self.workers = options.workers if options.workers is not None else _workers(processes)
        out = options.out if options.out is not None else lock_path.parent / "runs"
        path = choose_run(out, options.name, options.resume, bool(options.stages)) if processes.first else None
        path = processes.share(path)
        self.folder = RunFolder(path, lock)
        self.backend = device_package(lock.target.name) if lock.target is not None else None
        self.results: dict[str, StageResult] = {}

    def run(self) -> int:
        """All stages, or those that were asked for. Returns the exit code."""
        if not self.lock.stages:
            raise DetrtError("the spec has no train block", remedy="add `train NAME on MODEL { .. }` and build again")
        chosen = self._chosen()
        self.progress.note(
            f"run {self.folder.path}  {self.processes.device}, processes {self.processes.world}, "
            f"threads {torch.get_num_threads()}"
        )
        with self.interrupts.listening(keys=self.processes.first and not self.options.quiet):
            for number, stage in enumerate(self.lock.stages):
                if not self._run_or_skip(number, stage, stage in chosen):
                    return self._close("gate failed", 1)
        return self._close("finished", 0)

    def _chosen(self) -> list[Stage]:
        wanted = self.options.stages
        stages = [stage for stage in self.lock.stages if not wanted or stage.name in wanted or stage.id in wanted]
        unknown = [name for name in wanted if not any(name in (stage.name, stage.id) for stage in self.lock.stages)]
        if unknown:
            raise DetrtError(
                f"there is no stage `{unknown[0]}`",
                remedy=f"stages: {', '.join(stage.id for stage in self.lock.stages)}",
            )
        return stages

    def _run_or_skip(self, number: int, stage: Stage, chosen: bool) -> bool:
        """Takes a stage's result from the disk or makes it; False if a gate stops the run here."""
        done = self.folder.result(stage.id)
        anew = bool(self.options.stages) and chosen and not self.options.resume
        if done is not None and not anew:
            self._require_same(stage, done.identity, self.folder.stage(stage.id) / "stage.json", settings=chosen)
            self._remember(done)
            if chosen:
                self.progress.note(f"{stage.name}: done before ({done.ended})")
            return chosen is False or self._passes(stage, done)
        if not chosen:
            return True
        if anew:
            self._set_aside(stage)
        for needed in earlier_stages(stage):
            if needed not in self.results:
                raise DetrtError(
                    f"stage `{stage.id}` begins with the result of `{needed}`, which has not run",
                    remedy=f"--stage {needed} first",
                )
        result = self._calibrate(number, stage) if stage.kind == "calibrate" else self._train(number, stage)
        self._remember(result)
        return self._passes(stage, result)

    def _passes(self, stage: Stage, result: StageResult) -> bool:
        if not result.failed or self.options.past_gate:
            return True
        later = self.lock.stages.index(stage) + 1 < len(self.lock.stages)
        if later:
            self.progress.say("stopped at the gate; checkpoints are kept. Go on with --resume --past-gate")
        return False

    def _set_aside(self, stage: Stage) -> None:
        moved = self.folder.set_aside(stage) if self.processes.first else None
        self.processes.wait()
        if moved is not None:
            self.progress.note(f"{stage.name}: what it left before is now in {moved.name}/")

    def _remember(self, result: StageResult) -> None:
        self.results[result.id] = result
        if self.processes.first:
            hashes = {name: task.data_hash() for (_, name), task in self.tasks.items()}
            write_result(self.folder, self.lock, list(self.results.values()), self._classes(), hashes, "stopped")

    def _close(self, verdict: str, code: int) -> int:
        if self.processes.first:
            results = list(self.results.values())
            hashes = {name: task.data_hash() for (_, name), task in self.tasks.items()}
            path = write_result(self.folder, self.lock, results, self._classes(), hashes, verdict)
            self.progress.say(table(results, self._classes()))
            self.progress.say(f"{verdict}: {path}")
        return code

    def _classes(self) -> list[str]:
        return list(next(iter(self.tasks.values())).classes) if self.tasks else self.lock.model.classes()

    # -- what a stage works with

    def _task(self, stage: Stage) -> Task:
        """The task of a stage; labels are checked when a data set is used for the first time."""
        key = (stage.model, stage.data)
        if key not in self.tasks:
            task = self.make_task(self.lock, stage, self.bases, self.processes)
            task.check_labels(self.progress.note)
            self.tasks[key] = task
        return self.tasks[key]

    def _pictures(self, stage: Stage) -> Callable[[int], Iterable[Tensor]]:
        task = self._task(stage)
        return lambda images: task.pictures(images, batch=stage.batch, workers=self.workers)

    def _identity(self, stage: Stage) -> dict[str, Any]:
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
            "classes": list(self._classes()),
            "target": self.lock.target.name if self.lock.target else None,
            "stage": settings,
        }

    def _require_same(self, stage: Stage, saved: dict[str, Any], path: Path, settings: bool = True) -> None:
        """Raises CheckpointError, with the keys that differ, if a result is of another spec; or, with `settings`,
        was made otherwise.
        """
        self._task(stage)
        present = self._identity(stage)
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

    def _caps(self, stage: Stage) -> dict[str, float] | None:
        source = stage.quantize.activations
        return self.results[source.stage].caps if source is not None else None

    def _weights_of(self, start: Start) -> Path:
        """The checkpoint of another stage's weights; a calibration has those that it began with."""
        stage = self.lock.stage_with_id(start.stage)
        if stage.kind == "calibrate" and stage.start is not None:
            return self._weights_of(stage.start)
        return self.folder.best(stage.id) if start.which == "best" else self.folder.last(stage.id)

    def _new_model(self, stage: Stage) -> torch.nn.Module:
        """The model with the weights that a stage begins with."""
        model = make_model(self.model, self.lock, stage.model)
        if stage.start is not None:
            path = self._weights_of(stage.start)
            load_weights(model, path, stage.load)
            return model
        initialise(model, self.lock.model_named(stage.model), stage.init, self._pictures(stage)(stage.batch))
        if self.options.init_from is not None:
            load_weights(model, self.options.init_from, stage.load)
        return model

    # -- stages

    def _train(self, number: int, stage: Stage) -> StageResult:
        task, folder = self._task(stage), self.folder.stage(stage.id)
        checkpoint = read_newest(self.folder.last(stage.id), self.progress.say)
        exact_float32(stage.quantize.any())
        repeatable(stage.seed is not None)
        if checkpoint is not None:
            checkpoint.require(RESUMABLE, self.folder.last(stage.id))
            self._require_same(stage, checkpoint.state["identity"], self.folder.last(stage.id))
            seed = int(checkpoint.state["seed"])
            model = make_model(self.model, self.lock, stage.model)
            check_fits(model, checkpoint.group("model"), self.folder.last(stage.id))
            model.load_state_dict(checkpoint.group("model"))
        else:
            seed = self.processes.share(stage.seed if stage.seed is not None else secrets.randbelow(2**31))
            torch.manual_seed(seed)
            model = self._new_model(stage)
        network = quantise(
            model, self.lock, stage, self._caps(stage), self.backend, checkpoint is None, self._pictures(stage)
        )
        self.interrupts.begin_stage(folder)
        training = TrainingStage(
            stage,
            number,
            network,
            task,
            self.processes,
            folder,
            self.interrupts,
            self.progress,
            self._identity(stage),
            seed,
            self.workers,
        )
        if checkpoint is not None:
            training.restore(checkpoint)
            self.progress.note(f"{stage.name}: going on at epoch {training.at.epoch + 1}, step {training.at.step + 1}")
        scene = Scene(
            self.folder.path.name, stage.id, folder, training.at.epoch, {"spec": self.lock.spec.name, "seed": seed}
        )
        trackers = Trackers(self.options.trackers if self.processes.first else (), scene, self.progress.say)
        begun = time.monotonic()
        try:
            with self.progress.stage(stage.name, stage.epochs):
                standing = training.run(trackers)
        finally:
            trackers.close()
        final, split = self._final(stage, task, training, standing.best_metrics)
        self.progress.note(
            f"{stage.name}: {standing.ended}, best in epoch {standing.best_epoch}, {duration(time.monotonic() - begun)}"
        )
        return self._finished(
            stage,
            standing.best_metrics,
            final,
            split,
            standing.ended,
            standing.epoch,
            standing.best_epoch,
            seed,
            standing.seconds,
            {},
        )

    def _final(
        self, stage: Stage, task: Task, training: TrainingStage, metrics: dict[str, float]
    ) -> tuple[dict[str, float], str]:
        """The best checkpoint's figures on the test split, which has chosen nothing; without one, those on the
        validation split.
        """
        if not task.has_split("test"):
            return metrics, "val"
        load_weights(training.model, self.folder.best(stage.id), [])
        loader = task.plain_loader(
            "test", batch=stage.batch, rank=self.processes.rank, world=self.processes.world, workers=self.workers
        )
        found = validate(
            training.network, training.model, task, training.head, "test", loader, self.processes, stage.score
        )
        return (found.metrics if found else {}), "test"

    def _calibrate(self, number: int, stage: Stage) -> StageResult:
        if self.backend is None:
            raise DetrtError(
                f"stage `{stage.id}` calibrates activations, but the lock has no target", remedy="build with --target"
            )
        task = self._task(stage)
        exact_float32(True)
        begun = time.monotonic()
        torch.manual_seed(stage.seed or 0)
        pictures = self._pictures(stage)
        network = quantise(self._new_model(stage), self.lock, stage, None, self.backend, True, pictures)
        network.model.to(self.processes.device)

        def score(trial: Network) -> float:
            loader = task.plain_loader(
                "val", batch=stage.batch, rank=self.processes.rank, world=self.processes.world, workers=self.workers
            )
            found = validate(trial, trial.model, task, task.head(stage), "val", loader, self.processes, stage.score)
            return found.metrics["map50"] if found else 0.0

        scored = score if task.has_split("val") else None
        found = calibrate(network, self.lock, stage, self.backend, pictures, scored, self.progress.note)
        if self.interrupts.run:
            raise Interrupted(self.interrupts.run)
        self.progress.note(
            f"{stage.name}: {len(found.caps)} caps at percentile {found.percentile:g}, {duration(time.monotonic() - begun)}"
        )
        metrics = {
            "percentile": found.percentile,
            **{f"map50/percentile {q:g}": value for q, value in found.scores.items()},
        }
        return self._finished(
            stage, metrics, {}, "val", "calibrated", 0, None, stage.seed, time.monotonic() - begun, found.caps
        )

    def _finished(
        self,
        stage: Stage,
        metrics: dict[str, float],
        final: dict[str, float],
        split: str,
        ended: str,
        epochs: int,
        best_epoch: int | None,
        seed: int | None,
        seconds: float,
        caps: dict[str, float],
    ) -> StageResult:
        """Judges the gates on the validation figures, prints them, and writes the stage's result: from then on the
        stage is done.
        """
        others = {key: result.metrics for result in self.results.values() for key in (result.name, result.id)}
        judgements = judge_all(stage.gates, metrics, others)
        for judgement in judgements:
            self.progress.say(judgement.line())
        gates = [
            {"text": j.gate.text, "verdict": j.verdict, "detail": j.detail, "message": j.gate.message}
            for j in judgements
        ]
        identity = self._identity(stage)
        identity["stage"]["seed"] = seed
        result = StageResult(
            stage.id,
            stage.name,
            stage.kind,
            metrics,
            final,
            split,
            ended,
            epochs,
            best_epoch,
            seed,
            round(seconds, 3),
            caps,
            gates,
            identity,
        )
        if self.processes.first:
            self.folder.keep_result(result)
        self.processes.wait()
        return result


_MAY_CHANGE = {"span", "save_every", "gates", "epochs", "early_stop", "choose"}
"""Keys of a stage that a resumed run may set anew: they change how long it goes on and what it keeps."""


def _detection_task(lock: Lock, stage: Stage, bases: Sequence[Path], processes: Processes) -> Task:
    from detrt.train.task import DetectionTask

    return DetectionTask(lock, stage.model, stage.data, bases, processes.device)


def _workers(processes: Processes) -> int:
    return max(1, min(8, (os.cpu_count() or 2) // processes.world))

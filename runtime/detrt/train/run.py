"""A run: every stage of the lock in order, its gates, `result.json`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from detrt.devices import backend as device_package
from detrt.errors import DetrtError
from detrt.lock import Lock, Stage, earlier_stages
from detrt.train.calibration import calibrate_stage
from detrt.train.context import Context, TaskMaker, suitable_workers
from detrt.train.distributed import Processes
from detrt.train.elastic import agents, begun_before, remember
from detrt.train.folder import RunFolder, StageResult, choose_run
from detrt.train.gates import judge_all
from detrt.train.interrupts import Interrupts
from detrt.train.network import ModelClasses
from detrt.train.options import Options
from detrt.train.outcome import Outcome
from detrt.train.progress import Progress
from detrt.train.pruning import prune_stage
from detrt.train.result import table, write_result
from detrt.train.roots import data_bases
from detrt.train.trackers import how_to_look
from detrt.train.training import train_stage

_MAKERS = {"train": train_stage, "calibrate": calibrate_stage, "prune": prune_stage}


class Run:
    """One run of the stages of `lock`, in its own folder."""

    def __init__(
        self,
        models: ModelClasses,
        lock: Lock,
        lock_path: Path,
        options: Options,
        processes: Processes,
        make_task: TaskMaker,
        slayer: Mapping[str, str] | None = None,
    ) -> None:
        self.lock, self.options, self.processes = lock, options, processes
        self.progress = Progress(processes.first, options.quiet, options.print_every)
        out = options.out if options.out is not None else lock_path.parent / "runs"
        launch = agents(processes)
        again = processes.first_does(lambda: begun_before(out, launch))
        if again is not None:
            self.options = options = replace(options, resume=True)
            self.progress.note("started again by torchrun: going on with what is on the disk")

        def choose() -> Path:
            path = again or choose_run(out, options.name, options.resume, bool(options.stages), lock.spec.name)
            remember(path, launch)
            return path

        path = processes.first_does(choose)
        self.folder = RunFolder(path, lock)
        self.context = Context(
            models=models,
            lock=lock,
            options=options,
            processes=processes,
            progress=self.progress,
            interrupts=Interrupts(),
            folder=self.folder,
            bases=data_bases(options.data_root, lock_path),
            make_task=make_task,
            backend=device_package(lock.target.name, lock.target.lineage) if lock.target is not None else None,
            workers=options.workers if options.workers is not None else suitable_workers(processes),
            slayer=slayer,
        )
        self.results = self.context.results

    def run(self) -> int:
        """All stages, or those that were asked for. Returns the exit code."""
        if not self.lock.stages:
            raise DetrtError("the spec has no train block", remedy="add `train NAME on MODEL { .. }` and build again")
        chosen = self._chosen()
        threads = torch.get_num_threads()
        about = f"{self.processes.device}, processes {self.processes.world}, threads {threads}"
        self.progress.note(f"run {self.folder.path}  {about}")
        with self.context.interrupts.listening(keys=self.processes.first and not self.options.quiet):
            for number, stage in enumerate(self.lock.stages):
                if not self._run_or_skip(number, stage, stage in chosen):
                    return self._close("gate failed", 1)
        return self._close("finished", 0)

    def _chosen(self) -> list[Stage]:
        wanted = self.options.stages
        stages = [stage for stage in self.lock.stages if not wanted or stage.name in wanted or stage.id in wanted]
        unknown = [name for name in wanted if not any(name in (stage.name, stage.id) for stage in stages)]
        if unknown:
            known = ", ".join(stage.id for stage in self.lock.stages)
            raise DetrtError(f"there is no stage `{unknown[0]}`", remedy=f"stages: {known}")
        return stages

    def _run_or_skip(self, number: int, stage: Stage, chosen: bool) -> bool:
        """Takes a stage's result from the disk or makes it; False if a gate stops the run here."""
        done = self.processes.first_does(lambda: self.folder.result(stage.id))
        anew = bool(self.options.stages) and chosen and not self.options.resume
        if done is not None and not anew:
            self.context.require_same(stage, done.identity, self.folder.stage(stage.id) / "stage.json", chosen)
            self._remember(done)
            if not chosen:
                return True
            self.progress.note(f"{stage.name}: done before ({done.ended})")
            return self._passes(stage, done)
        if not chosen:
            return True
        if anew:
            self._set_aside(stage)
        given = stage.start.stage if stage.start and self.options.init_from else None
        for needed in earlier_stages(stage):
            if needed not in self.results and needed != given:
                problem = f"stage `{stage.id}` begins with the result of `{needed}`, which has not run"
                raise DetrtError(problem, remedy=f"--stage {needed} first")
        begun = time.monotonic()
        outcome = _MAKERS[stage.kind](self.context, number, stage)
        return self._passes(stage, self._finished(stage, outcome, time.monotonic() - begun))

    def _set_aside(self, stage: Stage) -> None:
        moved = self.processes.first_does(lambda: self.folder.set_aside(stage))
        if moved is not None:
            self.progress.note(f"{stage.name}: what it left before is now in {moved.name}/")

    def _finished(self, stage: Stage, outcome: Outcome, seconds: float) -> StageResult:
        """Judges the gates on the validation figures, prints them, and writes the result: then the stage is done."""
        others = {key: result.metrics for result in self.results.values() for key in (result.name, result.id)}
        judgements = judge_all(stage.gates, outcome.metrics, others)
        for judgement in judgements:
            self.progress.say(judgement.line())
        identity = self.context.identity(stage)
        identity["stage"]["seed"] = outcome.seed
        result = StageResult(
            id=stage.id,
            name=stage.name,
            kind=stage.kind,
            metrics=outcome.metrics,
            final=outcome.final,
            final_split=outcome.final_split,
            ended=outcome.ended,
            epochs=outcome.epochs,
            best_epoch=outcome.best_epoch,
            seed=outcome.seed,
            seconds=round(outcome.seconds or seconds, 3),
            caps=outcome.caps,
            pruned=outcome.pruned,
            transfer=outcome.transfer,
            frozen=outcome.frozen,
            engine=outcome.engine,
            gates=[judgement.as_dict() for judgement in judgements],
            identity=identity,
        )
        self.processes.first_does(lambda: self.folder.keep_result(result))
        self._remember(result)
        return result

    def _remember(self, result: StageResult) -> None:
        self.results[result.id] = result
        self.processes.first_does(lambda: self._write("stopped") and None)

    def _write(self, verdict: str) -> Path:
        context = self.context
        return write_result(
            self.folder, self.lock, list(self.results.values()), context.classes(), context.data_hashes(), verdict
        )

    def _passes(self, stage: Stage, result: StageResult) -> bool:
        if not result.failed or self.options.past_gate:
            return True
        if stage is not self.lock.stages[-1]:
            self.progress.say("stopped at the gate; checkpoints are kept. Go on with --resume --past-gate")
        return False

    def _close(self, verdict: str, code: int) -> int:
        path = self.processes.first_does(lambda: self._write(verdict))
        self.progress.say(table(list(self.results.values())))
        self.progress.say(f"{verdict}: {path}")
        for line in how_to_look(self.options.trackers, self.folder.path):
            self.progress.note(line)
        return code

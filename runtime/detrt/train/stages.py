"""One training stage: the loop a person would have written, with what it takes to stop and go on anywhere in it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from detrt.data.loader import Batch
from detrt.data.sample import Image
from detrt.errors import DetrtError
from detrt.files import write_png
from detrt.lock import Stage
from detrt.train import randomness
from detrt.train.checkpoint import Checkpoint, write_checkpoint
from detrt.train.context import Context
from detrt.train.contracts import Loader
from detrt.train.histograms import of_parameters
from detrt.train.interrupts import Interrupted
from detrt.train.learner import Learner
from detrt.train.network import Network
from detrt.train.progress import Clock, duration
from detrt.train.snapshot import Standing, put_back, snapshot
from detrt.train.step_terms import StepTerms
from detrt.train.trackers import Trackers
from detrt.train.validation import Validation, validate


class TrainingStage:
    """Trains `network` as `stage` says, in the stage's folder. `seed` is the stage's own, or the one drawn for it."""

    def __init__(self, context: Context, stage: Stage, number: int, network: Network, seed: int) -> None:
        self.stage, self.seed, processes = stage, seed, context.processes
        self.task, self.identity = context.task(stage), context.identity(stage)
        self.data_hash = context.data_hashes()[stage.data]
        self.processes, self.interrupts, self.progress = processes, context.interrupts, context.progress
        self.folder = context.folder.stage(stage.id)
        self.learner = Learner(stage, network, self.task.head(stage), processes, self.progress.note)
        self.step_terms = StepTerms(self.folder)
        self.at = Standing(epoch=stage.start_epoch)
        shape = {"rank": processes.rank, "world": processes.world, "workers": context.workers}
        self.loader = self.task.train_loader(stage, seed=seed, **shape)
        told = getattr(self.loader, "told", "")
        if told:
            self.progress.note(f"{stage.name}: {told}")
        self.held_out: Loader | None = None
        if self.task.has_split("val"):
            self.held_out = self.task.plain_loader("val", batch=stage.part, steps=stage.time_steps, **shape)
        self.learner.freeze(stage.start_epoch)
        randomness.seed_all(seed, number, processes.rank)

    # -- the loop

    def run(self, trackers: Trackers) -> Standing:
        """Trains to the end of the stage. Raises Interrupted, with a checkpoint on the disk, when the run is asked
        to stop.
        """
        if self.processes.first:
            self.step_terms.resume(self.at.epoch * len(self.loader) + self.at.step)
        with self.interrupts.deferred():
            while not self.at.ended:
                if self.at.epoch >= self.stage.epochs:
                    self._finish_without_epochs()
                    break
                self._one_epoch(trackers)
        return self.at

    def _one_epoch(self, trackers: Trackers) -> None:
        at, stage, learner = self.at, self.stage, self.learner
        learner.begin_epoch(at.epoch)
        clock, started = Clock(), time.monotonic()
        sums = torch.tensor(list(at.sums.values()), dtype=torch.float64, device=self.processes.device)
        steps = len(self.loader)
        begun_at = at.step
        self._set_rate(max(0, at.step - 1), steps)
        for batch in self._batches(clock):
            first = at.step % stage.accumulate == 0
            # Between two steps of the optimiser only: a checkpoint holds no gradients.
            if first and self.interrupts.look(at.step // stage.accumulate, self.processes):
                break
            if first:
                self._set_rate(at.step, steps)
            begun = time.perf_counter()
            parts = min(stage.accumulate, steps - at.step // stage.accumulate * stage.accumulate)
            at.step += 1
            terms = learner.step(batch, first, at.step % stage.accumulate == 0 or at.step == steps, parts)
            sums = sums.add_(terms) if len(sums) else terms.double()
            self._tell_terms(at.epoch * steps + at.step)
            clock.steps += time.perf_counter() - begun
            if self.progress.wants_step(at.step):
                loss = self._checked(float(sums.sum()) / at.step)
                pace = clock.total / (at.step - begun_at)
                self.progress.step(
                    at.epoch, at.step, steps, loss, clock, pace * (steps * (stage.epochs - at.epoch) - at.step)
                )
        at.sums = dict(zip(learner.terms, sums.tolist(), strict=False))
        at.seconds += time.monotonic() - started
        if self.interrupts.run:
            self._leave()
        by_hand = self.interrupts.stage
        due = by_hand or (at.epoch + 1) % stage.validate_every == 0 or at.epoch + 1 == stage.epochs
        histograms = of_parameters(learner.model) if due and trackers.wants_histograms and self.processes.first else {}
        found = (
            self._validated(trackers.wants_histograms) if due and not (by_hand and at.best_epoch is not None) else None
        )
        self._close_epoch(clock, found, trackers, histograms, by_hand)

    def _set_rate(self, step: int, steps: int) -> None:
        """Takes the learning rate that `step` of the present epoch is done with: that of the first part of its batch."""
        by_step = self.stage.schedule.by == "step"
        begins = step // self.stage.accumulate * self.stage.accumulate
        self.learner.set_rate(self.at.epoch + (begins / steps if by_step else 0))

    def _batches(self, clock: Clock) -> Iterator[Batch]:
        """The rest of the present epoch, its waiting time put down in `clock`."""
        self.loader.set_epoch(self.at.epoch, self.at.step)
        batches = iter(self.loader)
        while True:
            begun = time.perf_counter()
            batch = next(batches, None)
            clock.loader += time.perf_counter() - begun
            if batch is None:
                return
            yield batch

    def _tell_terms(self, step: int) -> None:
        """Writes down what the head tells after `step` steps, added up over processes."""
        told = self.learner.head.track(step)
        if told is not None:
            told = self._over_processes(told)
            if self.processes.first:
                self.step_terms.write(step, told)

    def _checked(self, loss: float) -> float:
        if not math.isfinite(loss):
            raise DetrtError(
                f"the loss of stage `{self.stage.id}` is {loss} in epoch {self.at.epoch + 1}",
                self.folder,
                f"a lower learning rate or a clip: --set train.{self.stage.id}.lr={self.stage.optimizer.lr / 3:.2g}",
            )
        return loss

    # -- epochs' ends

    def _validated(self, activations: bool) -> Validation | None:
        """Scores the average, else the weights; leaves a checkpoint and the run if asked to stop in between."""
        if self.held_out is None:
            return None
        begun = time.monotonic()
        found = validate(
            self.learner.network,
            self.learner.best,
            self.task,
            self.learner.head,
            "val",
            self.held_out,
            self.processes,
            self.stage.score,
            activations and self.processes.first,
            lambda step: self.interrupts.look(step, self.processes) and bool(self.interrupts.run),
        )
        if found is None:
            self._leave()
        self.at.seconds += time.monotonic() - begun
        return found

    def _close_epoch(
        self,
        clock: Clock,
        found: Validation | None,
        trackers: Trackers,
        histograms: dict[str, Tensor],
        by_hand: bool,
    ) -> None:
        at, stage = self.at, self.stage
        sums = self._over_processes(at.sums)
        values = {f"train/{name}": value / max(1, at.step) for name, value in sums.items()}
        loss = self._checked(sum(values.values()))
        l2 = self.learner.l2()
        values |= {"train/l2": l2} if l2 is not None else {}
        values = {"lr": self.learner.rate, "train/loss": loss, **values}
        if found is not None:
            values |= {f"val/{name}": value for name, value in found.metrics.items()}
        better = self._judge(found.metrics if found else None)
        sheet = self._sheet(found) if better else None
        if better and self.processes.first:
            self._write_best(sheet)
        number = at.epoch + 1
        line = self._line(values, clock, better)
        at.epoch, at.step, at.sums = number, 0, {}
        if by_hand:
            at.ended = "by hand"
        elif stage.early_stop is not None and at.waited >= stage.early_stop.patience:
            at.ended = "early stop"
        elif number == stage.epochs:
            at.ended = "all epochs"
        self.progress.epoch(line)
        if self.processes.first:
            trackers.scalars(number, {**values, "time/loader_share": clock.loader_share, "time/epoch": clock.total})
            if histograms or (found and found.activations):
                trackers.histograms(number, {**histograms, **(found.activations if found else {})})
            if sheet is not None:
                trackers.pictures(number, {"val/predictions": sheet})
        if stage.save_every is not None and number % stage.save_every == 0 and self.processes.first:
            self._write_weights(self.folder / f"epoch-{number:04}.safetensors", found.metrics if found else {})
        self.save()

    def _over_processes(self, sums: dict[str, float]) -> dict[str, float]:
        names = sorted(sums)
        total = self.processes.sum(
            torch.tensor([sums[name] for name in names], dtype=torch.float64, device=self.processes.device)
        )
        return {name: float(value) for name, value in zip(names, total, strict=True)}

    def _judge(self, metrics: dict[str, float] | None) -> bool:
        """Updates the best so far; without a validation split the latest epoch is the best."""
        at, stage, key = self.at, self.stage, self.stage.choose
        if metrics is None:
            if self.held_out is None:
                at.best_epoch, at.best_metrics = at.epoch + 1, {}
                return True
            return False
        if key not in metrics:
            known = ", ".join(name for name in metrics if "/" not in name)
            raise DetrtError(
                f"stage `{stage.id}` chooses by `{key}`, which is not measured", "choose", f"known: {known}"
            )
        score = -metrics[key] if key == "loss" else metrics[key]
        if at.best is not None and not score > at.best:
            at.waited = at.epoch + 1 - (at.best_epoch or 0)
            return False
        at.best, at.best_epoch, at.best_metrics, at.waited = score, at.epoch + 1, metrics, 0
        return True

    def _line(self, values: dict[str, float], clock: Clock, better: bool) -> str:
        at, stage = self.at, self.stage
        text = f"{stage.name} {at.epoch + 1}/{stage.epochs}  loss {values['train/loss']:.4f}"
        if "val/loss" in values:
            text += f"  val {values['val/loss']:.4f}"
        for name in ("map50", "top1"):
            if f"val/{name}" in values:
                text += f"  {name} {values[f'val/{name}']:.3f}{' best' if better else ''}"
        if "val/event_rate" in values:
            text += f"  events {values['val/event_rate']:.1%}"
        left = at.seconds / (at.epoch + 1 - stage.start_epoch) * (stage.epochs - at.epoch - 1)
        return f"{text}  lr {values['lr']:.3g}  {clock.total:.1f} s ({clock})  eta {duration(left)}"

    def _finish_without_epochs(self) -> None:
        """A stage of 0 epochs only scores and keeps what it began with."""
        found = self._validated(False)
        if self._judge(found.metrics if found else None) and self.processes.first:
            self._write_best(self._sheet(found))
        self.at.best_epoch, self.at.ended = 0, "all epochs"
        self.save()

    # -- the disk

    def _leave(self) -> None:
        """Keeps the present state and ends the run."""
        self.save()
        raise Interrupted(self.interrupts.run)

    def _sheet(self, found: Validation | None) -> Image | None:
        """Predictions on a few pictures, where the task draws them."""
        draw = getattr(self.task, "sheet", None)
        if found is None or draw is None or not self.processes.first:
            return None
        sheet: Image = draw("val", found.found)
        return sheet

    def _write_best(self, sheet: Image | None) -> None:
        """The weights, and the sheet of predictions beside them."""
        self._write_weights(self.folder / "best.safetensors", self.at.best_metrics)
        if sheet is not None:
            write_png(self.folder / "best.png", sheet)

    def _write_weights(self, path: Path, metrics: dict[str, float]) -> None:
        state = {
            "identity": self.identity,
            "epoch": self.at.epoch + 1,
            "metrics": metrics,
            "seed": self.seed,
            "caps": self.learner.network.caps,
            "output_scale": self.learner.network.scale,
        }
        write_checkpoint(path, self.learner.best.state_dict(), state)

    def save(self) -> None:
        """Writes `last.safetensors`: everything that the rest of the run depends on."""
        tensors, state = snapshot(self)
        if self.processes.first:
            write_checkpoint(self.folder / "last.safetensors", tensors, state)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Puts everything back that `save` wrote."""
        put_back(self, checkpoint)
        self.learner.terms = tuple(self.at.sums)
        self.learner.freeze(self.at.epoch)

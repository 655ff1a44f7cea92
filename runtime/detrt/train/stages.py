"""One training stage: the loop a person would have written, with what it takes to stop and go on anywhere in it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from detrt.data.loader import Batch
from detrt.errors import DetrtError
from detrt.lock import Stage
from detrt.train import randomness
from detrt.train.checkpoint import Checkpoint, write_checkpoint
from detrt.train.context import Context
from detrt.train.contracts import Loader
from detrt.train.ema import Ema
from detrt.train.histograms import of_parameters
from detrt.train.interrupts import Interrupted
from detrt.train.network import Network, frozen
from detrt.train.optimizer import add_l2_gradient, l2_term, make_optimizer
from detrt.train.precision import autocast_dtype, place
from detrt.train.progress import Clock, duration
from detrt.train.schedule import learning_rate
from detrt.train.snapshot import Standing, put_back, snapshot
from detrt.train.trackers import Trackers
from detrt.train.validation import Validation, validate


class TrainingStage:
    """Trains `network` as `stage` says, in the stage's folder. `seed` is the stage's own, or the one drawn for it."""

    def __init__(self, context: Context, stage: Stage, number: int, network: Network, seed: int) -> None:
        self.stage, self.network, self.seed, processes = stage, network, seed, context.processes
        self.task, self.identity = context.task(stage), context.identity(stage)
        self.data_hash = context.data_hashes()[stage.data]
        self.processes, self.interrupts, self.progress = processes, context.interrupts, context.progress
        self.folder = context.folder.stage(stage.id)
        self.device = processes.device
        self.format = torch.channels_last if stage.channels_last else torch.contiguous_format
        self.model = network.model
        place(self.model, self.device, self.format)
        # What the device package holds still (a batch norm already folded) stays so, whatever the stage freezes.
        self.named = {name: value for name, value in self.model.named_parameters() if value.requires_grad}
        self.optimizer = make_optimizer(stage.optimizer, list(self.named.values()))
        self.ema = Ema(self.model, stage.ema) if stage.ema is not None else None
        self.dtype = autocast_dtype(stage, self.device, self.progress.note)
        self.head = self.task.head(stage)
        self.head.attach(self.model)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)
        self.at = Standing()
        self.terms: tuple[str, ...] = ()
        shape = {"rank": processes.rank, "world": processes.world, "workers": context.workers}
        self.loader = self.task.train_loader(stage, seed=seed, **shape)
        self.held_out: Loader | None = None
        if self.task.has_split("val"):
            self.held_out = self.task.plain_loader("val", batch=stage.batch, **shape)
        self.forward: nn.Module = self.model
        self._freeze(0)
        randomness.seed_all(seed, number, processes.rank)

    # -- the loop

    def run(self, trackers: Trackers) -> Standing:
        """Trains to the end of the stage. Raises Interrupted, with a checkpoint on the disk, when the run is asked
        to stop.
        """
        with self.interrupts.deferred():
            while not self.at.ended:
                if self.at.epoch >= self.stage.epochs:
                    self._finish_without_epochs()
                    break
                self._one_epoch(trackers)
        return self.at

    def _one_epoch(self, trackers: Trackers) -> None:
        at, stage = self.at, self.stage
        rate = learning_rate(stage.schedule, stage.optimizer.lr, at.epoch, stage.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self._freeze(at.epoch)
        self.head.begin_epoch(at.epoch, stage.epochs, at.epoch >= stage.epochs - stage.no_aug_epochs)
        self.model.train()
        clock, started = Clock(), time.monotonic()
        sums = torch.tensor(list(at.sums.values()), dtype=torch.float64, device=self.device)
        steps = len(self.loader)
        first = at.step
        for batch in self._batches(clock):
            if self.interrupts.look(at.step, self.processes):
                break
            begun = time.perf_counter()
            terms = self._step(batch)
            sums = sums.add_(terms) if len(sums) else terms.double()
            at.step += 1
            clock.steps += time.perf_counter() - begun
            if self.progress.wants_step(at.step):
                loss = self._checked(float(sums.sum()) / at.step)
                pace = clock.total / (at.step - first)
                self.progress.step(
                    at.epoch, at.step, steps, loss, clock, pace * (steps * (stage.epochs - at.epoch) - at.step)
                )
        at.sums = dict(zip(self.terms, sums.tolist(), strict=False))
        at.seconds += time.monotonic() - started
        if self.interrupts.run:
            self._leave()
        by_hand = self.interrupts.stage
        due = by_hand or (at.epoch + 1) % stage.validate_every == 0 or at.epoch + 1 == stage.epochs
        histograms = of_parameters(self.model) if due and trackers.wants_histograms and self.processes.first else {}
        found = (
            self._validated(trackers.wants_histograms) if due and not (by_hand and at.best_epoch is not None) else None
        )
        self._close_epoch(rate, clock, found, trackers, histograms, by_hand)

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

    def _step(self, batch: Batch) -> Tensor:
        """One step of the optimiser; the weighted terms of the loss of this process's pictures, in the order of
        `self.terms`.
        """
        stage = self.stage
        inputs = batch.inputs.to(self.device, non_blocking=True, memory_format=self.format)
        with torch.autocast(self.device.type, self.dtype or torch.bfloat16, enabled=self.dtype is not None):
            outputs = self.forward(inputs)
        targets = batch.targets.to(self.device, non_blocking=True)
        found = self.head.loss(self.network.head_values(outputs), targets, self.processes.sum)
        self.terms = tuple(sorted(found))
        terms = torch.stack([found[name] for name in self.terms])
        # DistributedDataParallel averages gradients over processes; the loss is a sum over all of them.
        loss = terms.sum() * self.processes.world
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        parameters = [parameter for parameter in self.named.values() if parameter.requires_grad]
        if stage.optimizer.l2 == "loss" and stage.optimizer.weight_decay:
            add_l2_gradient(parameters, stage.optimizer.weight_decay)
        if stage.clip is not None:
            nn.utils.clip_grad_norm_(parameters, stage.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.ema is not None:
            self.ema.update()
        return terms.detach()

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
            self.network,
            self.ema.model if self.ema else self.model,
            self.task,
            self.head,
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
        rate: float,
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
        if stage.optimizer.l2 == "loss" and stage.optimizer.weight_decay:
            values["train/l2"] = float(l2_term(list(self.named.values()), stage.optimizer.weight_decay))
        values = {"lr": rate, "train/loss": loss, **values}
        if found is not None:
            values |= {f"val/{name}": value for name, value in found.metrics.items()}
        better = self._judge(found.metrics if found else None)
        if better and self.processes.first:
            self._write_best()
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
        if stage.save_every is not None and number % stage.save_every == 0 and self.processes.first:
            self._write_weights(self.folder / f"epoch-{number:04}.safetensors", found.metrics if found else {})
        self.save()

    def _over_processes(self, sums: dict[str, float]) -> dict[str, float]:
        names = sorted(sums)
        total = self.processes.sum(
            torch.tensor([sums[name] for name in names], dtype=torch.float64, device=self.device)
        )
        return {name: float(value) for name, value in zip(names, total, strict=True)}

    def _judge(self, metrics: dict[str, float] | None) -> bool:
        """Updates the best so far; without a validation split the latest epoch is the best."""
        at, key = self.at, self.stage.choose
        if metrics is None:
            if self.held_out is None:
                at.best_epoch, at.best_metrics = at.epoch + 1, {}
                return True
            return False
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
        if "val/map50" in values:
            text += f"  map50 {values['val/map50']:.3f}{' best' if better else ''}"
        left = at.seconds / (at.epoch + 1) * (stage.epochs - at.epoch - 1)
        return f"{text}  lr {values['lr']:.3g}  {clock.total:.1f} s ({clock})  eta {duration(left)}"

    def _finish_without_epochs(self) -> None:
        """A stage of 0 epochs only scores and keeps what it began with."""
        found = self._validated(False)
        if self._judge(found.metrics if found else None) and self.processes.first:
            self._write_best()
        self.at.best_epoch, self.at.ended = 0, "all epochs"
        self.save()

    def _freeze(self, epoch: int) -> None:
        """Sets what may move in `epoch`; the wrapper that sums gradients is made anew when that changes."""
        wanted = {name: not frozen(name, self.stage, epoch) for name in self.named}
        changed = any(self.named[name].requires_grad != moves for name, moves in wanted.items())
        for name, moves in wanted.items():
            self.named[name].requires_grad_(moves)
        if not any(wanted.values()):
            raise DetrtError(f"stage `{self.stage.id}` freezes every weight", remedy="name fewer prefixes in `freeze`")
        if self.processes.world > 1 and (changed or self.forward is self.model):
            ids = [self.device] if self.device.type == "cuda" else None
            self.forward = DistributedDataParallel(
                self.model, device_ids=ids, broadcast_buffers=False, gradient_as_bucket_view=True
            )

    # -- the disk

    def _leave(self) -> None:
        """Keeps the present state and ends the run."""
        self.save()
        raise Interrupted(self.interrupts.run)

    def _write_best(self) -> None:
        self._write_weights(self.folder / "best.safetensors", self.at.best_metrics)

    def _write_weights(self, path: Path, metrics: dict[str, float]) -> None:
        state = {
            "identity": self.identity,
            "epoch": self.at.epoch + 1,
            "metrics": metrics,
            "seed": self.seed,
            "caps": self.network.caps,
            "output_scale": self.network.scale,
        }
        write_checkpoint(path, (self.ema.model if self.ema else self.model).state_dict(), state)

    def save(self) -> None:
        """Writes `last.safetensors`: everything that the rest of the run depends on."""
        tensors, state = snapshot(self)
        if self.processes.first:
            write_checkpoint(self.folder / "last.safetensors", tensors, state)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Puts everything back that `save` wrote."""
        put_back(self, checkpoint)
        self.terms = tuple(self.at.sums)
        self._freeze(self.at.epoch)

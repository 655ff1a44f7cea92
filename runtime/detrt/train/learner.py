"""What learns in a stage: the model with its optimiser, its averages and its scaler, and one step of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from detrt.data.loader import Batch
from detrt.errors import DetrtError
from detrt.lock import Stage
from detrt.train.contracts import Head
from detrt.train.distributed import Processes
from detrt.train.ema import Ema
from detrt.train.network import Network, below, frozen
from detrt.train.norms import hold_norms
from detrt.train.optimizer import add_l2_gradient, is_decayed, l2_term, make_optimizer, set_rates
from detrt.train.precision import autocast_dtype, place
from detrt.train.schedule import learning_rate


class Learner:
    """`model` of `network` as `stage` trains it; `head` gives its loss."""

    def __init__(
        self, stage: Stage, network: Network, head: Head, processes: Processes, say: Callable[[str], None]
    ) -> None:
        self.stage, self.network, self.head, self.processes = stage, network, head, processes
        self.device = processes.device
        self.format = torch.channels_last if stage.channels_last else torch.contiguous_format
        self.model = network.model
        place(self.model, self.device, self.format)
        # What the device package holds still (a batch norm already folded) stays so, whatever the stage freezes.
        self.named = {name: value for name, value in self.model.named_parameters() if value.requires_grad}
        for part in stage.rates:
            if not any(below(name, [part]) for name in self.named):
                raise DetrtError(
                    f"stage `{stage.id}` has a rate for `{part}`, which has no weights that learn",
                    f"train.{stage.id}.lr.{part}",
                    "name a part of the model with weights, or leave it out",
                )
        self.optimizer = make_optimizer(stage.optimizer, self.named, stage.rates)
        self.ema = Ema(self.model, stage.ema, stage.ema_warmup) if stage.ema is not None else None
        self.dtype = autocast_dtype(stage, self.device, say)
        head.attach(self.model)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)
        self.forward: nn.Module = self.model
        self.terms: tuple[str, ...] = ()
        self.rate = 0.0

    @property
    def best(self) -> nn.Module:
        """The weights that are validated and kept: the averages, if there are any."""
        return self.ema.model if self.ema is not None else self.model

    def begin_epoch(self, epoch: int) -> None:
        """Sets what may move in `epoch`, and the mode of every layer."""
        self.freeze(epoch)
        self.model.train()
        hold_norms(self.model, lambda name: frozen(name, self.stage, epoch))
        self.head.begin_epoch(epoch, self.stage.epochs, epoch >= self.stage.epochs - self.stage.no_aug_epochs)

    def freeze(self, epoch: int) -> None:
        """Sets what may move in `epoch`; the wrapper that sums gradients is made anew when that changes."""
        wanted = {name: not frozen(name, self.stage, epoch) for name in self.named}
        changed = any(self.named[name].requires_grad != moves for name, moves in wanted.items())
        for name, moves in wanted.items():
            self.named[name].requires_grad_(moves)
        if not any(wanted.values()):
            raise DetrtError(f"stage `{self.stage.id}` freezes every weight", remedy="name fewer prefixes in `freeze`")
        if self.processes.world > 1 and (changed or self.forward is self.model):
            self.forward = _summing(self.model, self.device, buffers=not self.stage.sync_bn)

    def set_rate(self, epoch: float) -> None:
        """Takes the learning rates of `epoch`, a fraction within one."""
        stage = self.stage

        def rate(base: float) -> float:
            return learning_rate(stage.schedule, base, epoch, stage.epochs, stage.no_aug_epochs)

        set_rates(self.optimizer, rate)
        self.rate = rate(stage.optimizer.lr)

    def step(self, batch: Batch, first: bool, last: bool, parts: int) -> Tensor:
        """One of `parts` of a step of the optimiser, which moves the weights after the `last`. Gives the weighted terms of
        the loss of this process's pictures, in the order of `self.terms`.
        """
        form = self.format if batch.steps is None else torch.preserve_format
        inputs = batch.inputs.to(self.device, non_blocking=True, memory_format=form)
        if first:
            self.optimizer.zero_grad(set_to_none=True)
        with self._sums_later() if not last else nullcontext():
            with torch.autocast(self.device.type, self.dtype or torch.bfloat16, enabled=self.dtype is not None):
                outputs = self.forward(inputs)
            targets = batch.targets.to(self.device, non_blocking=True)
            found = self.head.loss(self.network.head_values(outputs), targets, self.processes.sum)
            if self.network.penalties is not None:
                found |= {name: value / self.processes.world for name, value in self.network.penalties().items()}
            self.terms = tuple(sorted(found))
            terms = torch.stack([found[name] for name in self.terms])
            # DistributedDataParallel averages gradients over processes; the loss is a sum over all of them.
            loss = terms.sum() * (self.processes.world / parts)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if last:
            self._move()
        return terms.detach()

    def _sums_later(self) -> AbstractContextManager[None]:
        """Gradients stay with each process until the last part of a step."""
        if isinstance(self.forward, DistributedDataParallel):
            return self.forward.no_sync()
        return nullcontext()

    def _move(self) -> None:
        stage, options = self.stage, self.stage.optimizer
        self.scaler.unscale_(self.optimizer)
        parameters = [parameter for parameter in self.named.values() if parameter.requires_grad]
        if options.l2 == "loss" and options.weight_decay:
            add_l2_gradient([p for p in parameters if is_decayed(p, options)], options.weight_decay)
        if stage.clip is not None:
            nn.utils.clip_grad_norm_(parameters, stage.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.ema is not None:
            self.ema.update()

    def l2(self) -> float | None:
        """The decay that is part of the loss, for the record; None where there is none."""
        options = self.stage.optimizer
        decayed = [parameter for parameter in self.named.values() if is_decayed(parameter, options)]
        if options.l2 != "loss" or not options.weight_decay or not decayed:
            return None
        return float(l2_term(decayed, options.weight_decay))


def _summing(model: nn.Module, device: torch.device, buffers: bool) -> DistributedDataParallel:
    """`model` in the wrapper that sums gradients over processes. With `buffers`, those of the first process go to all before
    each pass: norms that do not share their statistics then agree with what is kept.
    """
    known = inspect.signature(DistributedDataParallel.__init__).parameters
    word = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # until torch 2.12
    options: dict[str, Any] = {word: buffers, "gradient_as_bucket_view": True}
    return DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None, **options)

"""Losses and mAP of a network on one split, shared out over all processes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from detrt.train.contracts import Head, Loader, Task
from detrt.train.distributed import Processes
from detrt.train.histograms import of_activations
from detrt.train.network import Network


@dataclass(slots=True)
class Validation:
    """`metrics`: `loss`, `loss/TERM`, the figures of the task: `map50`, `map`, `map50/CLASS`, or `top1` and `top5`; and those
    that the device package counts, such as `events` and `events/LAYER`.

    `activations`: samples, if they were asked for. `found`: what the task decoded of every picture, on the first process.
    """

    metrics: dict[str, float]
    activations: dict[str, Tensor]
    found: list[Any] = field(default_factory=list)


@torch.no_grad()
def validate(
    network: Network,
    model: nn.Module,
    task: Task,
    head: Head,
    split: str,
    loader: Loader,
    processes: Processes,
    rule: str,
    activations: bool = False,
    stop: Callable[[int], bool] = lambda step: False,
) -> Validation | None:
    """Scores `model` (the network's own, or its average) on `split`; None if `stop` said so in between.

    Runs in full precision. The loss is that of training; its moving normaliser stands still, so looking changes nothing.
    """
    training = model.training
    model.eval()
    terms: dict[str, Tensor] = {}
    detections: list[Any] = []
    seen: dict[str, Tensor] = {}
    batches = 0
    with ExitStack() as stack:
        stack.callback(model.train, training)
        counts = stack.enter_context(network.counting(model)) if network.counting is not None else None
        for step, batch in enumerate(loader):
            if stop(step):
                return None
            inputs = batch.inputs.to(processes.device, non_blocking=True)
            if activations and step == 0:
                with of_activations(model) as seen:
                    outputs = model(inputs)
            else:
                outputs = model(inputs)
            outputs = network.head_values(outputs)
            for name, value in head.loss(
                outputs, batch.targets.to(processes.device), processes.sum, update=False
            ).items():
                terms[name] = terms[name] + value if name in terms else value.clone()
            detections.extend(task.decode(outputs, batch, network.decode or head.decode))
            batches += 1
    names = sorted(terms)
    sums = processes.sum(
        torch.stack([terms[name].double() for name in names]) if names else torch.zeros(0, dtype=torch.float64)
    )
    metrics = {f"loss/{name}": float(value) / max(1, batches) for name, value in zip(names, sums, strict=True)}
    metrics["loss"] = sum(metrics.values())
    counted = counts.figures(processes.sum) if counts is not None else {}
    gathered = [found for share in processes.gather(detections) for found in share]
    scores = task.score(split, gathered, rule=rule) if processes.first else {}
    return Validation({**metrics, **processes.share(scores), **counted}, seen, gathered)

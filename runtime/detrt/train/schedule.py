"""The learning rate of each epoch. It changes between epochs only, as in the vendor's training of GNetDet."""

from __future__ import annotations

import math

from detrt.lock import Schedule


def learning_rate(schedule: Schedule, lr: float, epoch: int, epochs: int) -> float:
    """The rate of `epoch` (from 0) in a stage of `epochs`, `lr` being the optimiser's own.

    The first `warmup` epochs rise linearly from `warmup_from`; steps and the cosine count from the end of the warmup. `step`
    multiplies by gamma every `every` epochs, `multistep` at each of `milestones`, `cosine` falls to `floor * lr`.
    """
    if epoch < schedule.warmup:
        return schedule.warmup_from + (lr - schedule.warmup_from) * epoch / schedule.warmup
    since = epoch - schedule.warmup
    if schedule.name == "cosine":
        length = max(1, epochs - schedule.warmup)
        return lr * (
            schedule.floor + (1 - schedule.floor) * 0.5 * (1 + math.cos(math.pi * min(since, length) / length))
        )
    drops = 0
    if schedule.name == "step" and schedule.every:
        drops = since // schedule.every
    elif schedule.name == "multistep":
        drops = sum(milestone <= since for milestone in schedule.milestones)
    for _ in range(drops):
        lr *= schedule.gamma
    return lr

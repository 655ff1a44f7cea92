"""The learning rate at any moment of a stage. The formulae stand in the compiler's ir/lock.md."""

from __future__ import annotations

import math

from detrt.lock import Schedule


def learning_rate(schedule: Schedule, lr: float, epoch: float, epochs: int, no_aug: int = 0) -> float:
    """The rate at `epoch` (from 0; a fraction within an epoch) of `epochs`, `lr` being that of the optimiser or of a part.

    `no_aug`: the last epochs without augmentation, of which `yoloxwarmcos` keeps its lowest rate.
    """
    if schedule.name == "yoloxwarmcos":
        return _yoloxwarmcos(schedule, lr, epoch, epochs, no_aug if schedule.no_aug is None else schedule.no_aug)
    if schedule.name == "lava":
        return _lava(schedule, lr, epoch, epochs)
    if epoch < schedule.warmup:
        return schedule.warmup_from + (lr - schedule.warmup_from) * epoch / schedule.warmup
    since = epoch - schedule.warmup
    if schedule.name == "cosine":
        length = max(1, epochs - schedule.warmup)
        if schedule.t_max is None:
            since = min(since, length)
        return lr * (schedule.floor + (1 - schedule.floor) * _half_cosine(since / (schedule.t_max or length)))
    drops = 0
    if schedule.name == "step" and schedule.every:
        drops = int(since // schedule.every)
    elif schedule.name == "multistep":
        drops = sum(milestone <= since for milestone in schedule.milestones)
    for _ in range(drops):
        lr *= schedule.gamma
    return lr


def _half_cosine(share: float) -> float:
    """From 1 at 0 to 0 at 1."""
    return 0.5 * (1 + math.cos(math.pi * share))


def _yoloxwarmcos(schedule: Schedule, lr: float, epoch: float, epochs: int, no_aug: int) -> float:
    """As `yolox_warm_cos_lr` of YOLOX@6ddff48 (yolox/utils/lr_scheduler.py), which counts the same in steps."""
    warmup, low = schedule.warmup, lr * schedule.floor
    if epoch < warmup:
        return (lr - schedule.warmup_from) * (epoch / warmup) ** 2 + schedule.warmup_from
    if epoch >= epochs - no_aug:
        return low
    return low + (lr - low) * _half_cosine((epoch - warmup) / (epochs - warmup - no_aug))


def _lava(schedule: Schedule, lr: float, epoch: float, epochs: int) -> float:
    """As lava-dl's train_sdnn.py for tiny YOLO means it. There the scheduler takes a step each batch and reads the number
    as one of epochs; here epochs are epochs.
    """
    warm = min(epoch / schedule.warmup, 1.0) if schedule.warmup else 1.0
    return lr * (warm * _half_cosine(epoch / epochs) * (1 - schedule.floor) + schedule.floor)

"""Which task a model of the lock has: its head says what is learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from detrt.heads import CLASSIFIERS
from detrt.lock import Lock
from detrt.train.classification import ClassificationTask
from detrt.train.task import DataTask, DetectionTask


def is_classifier(lock: Lock, model: str) -> bool:
    heads = lock.model_named(model).heads
    return bool(heads) and heads[0].kind in CLASSIFIERS


def task_of(lock: Lock, model: str, data: str, bases: Sequence[Path], device: torch.device) -> DataTask:
    """Model `model` of the lock on data set `data`; relative data roots are looked for in `bases`. Raises DetrtError."""
    kind = ClassificationTask if is_classifier(lock, model) else DetectionTask
    return kind(lock, model, data, bases, device)

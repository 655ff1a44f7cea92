"""Training: what the generated train.py, evaluate.py and export.py call. Importing this package loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from detrt.train.early_interrupt import tell_shortly

if TYPE_CHECKING:
    from torch import nn

    ModelClasses = type[nn.Module] | Mapping[str, type[nn.Module]]

tell_shortly()


def main(
    model: ModelClasses,
    lock_path: str | Path,
    argv: Sequence[str] | None = None,
    slayer: Mapping[str, str] | None = None,
) -> int:
    """Trains every stage of the lock; `argv` are the options of train.py, `slayer` the modules with
    nets in lava-dl's blocks, by model. Returns the exit code.
    """
    from detrt.train.engine import main as train_main

    return train_main(model, lock_path, argv, slayer)


def evaluate_main(model: ModelClasses, lock_path: str | Path, argv: Sequence[str] | None = None) -> int:
    """Scores a checkpoint; `argv` are the options of evaluate.py. Returns the exit code."""
    from detrt.train.evaluating import main as evaluate

    return evaluate(model, lock_path, argv)


def export_main(model: ModelClasses, lock_path: str | Path, argv: Sequence[str] | None = None) -> int:
    """Writes the device's files of a checkpoint; `argv` are the options of export.py. Returns the exit code."""
    from detrt.train.exporting import main as export

    return export(model, lock_path, argv)

"""Weights & Biases, offline: a folder that `wandb sync` can send later. Nothing leaves the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from detrt.data.sample import Image
from detrt.train.trackers import Scene, Tracker


class WandbOffline:
    wants_histograms = True

    def __init__(self, wandb: Any, run: Any) -> None:
        self.wandb = wandb
        self.run = run

    def scalars(self, epoch: int, values: Mapping[str, float]) -> None:
        self.run.log({"epoch": epoch, **values}, step=epoch)

    def histograms(self, epoch: int, values: Mapping[str, Tensor]) -> None:
        self.run.log(
            {name: self.wandb.Histogram(value.float().cpu().numpy()) for name, value in values.items()}, step=epoch
        )

    def pictures(self, epoch: int, values: Mapping[str, Image]) -> None:
        self.run.log({name: self.wandb.Image(value[..., ::-1].copy()) for name, value in values.items()}, step=epoch)

    def close(self) -> None:
        self.run.finish()


def open_tracker(scene: Scene) -> Tracker:
    """Raises ImportError with the remedy if wandb is not installed."""
    try:
        import wandb
    except ImportError:
        raise ImportError("wandb is not installed (pip install wandb)") from None
    run = wandb.init(
        project=str(scene.config.get("spec", "detrt")),
        name=f"{scene.run}/{scene.stage}",
        dir=str(scene.folder),
        config=dict(scene.config),
        mode="offline",
        settings=wandb.Settings(silent=True, console="off", disable_git=True),
    )
    return WandbOffline(wandb, run)

"""Event files for TensorBoard in `events/` of the stage: scalars, histograms and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from detrt.data.sample import Image
from detrt.train.trackers import Scene, Tracker


class TensorBoard:
    wants_histograms = True

    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def scalars(self, epoch: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, epoch)

    def histograms(self, epoch: int, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self.writer.add_histogram(name, value.float().cpu().numpy(), epoch)

    def pictures(self, epoch: int, values: Mapping[str, Image]) -> None:
        for name, value in values.items():
            self.writer.add_image(name, value[..., ::-1].copy(), epoch, dataformats="HWC")

    def close(self) -> None:
        self.writer.close()


def open_tracker(scene: Scene) -> Tracker:
    """Raises ImportError with the remedy if tensorboard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ImportError("tensorboard is not installed (pip install tensorboard)") from None
    return TensorBoard(SummaryWriter(str(scene.folder / "events"), purge_step=scene.epoch + 1 if scene.epoch else None))

"""The numbers of a GNetDet head and of its loss, read from the lock and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detrt.errors import DetrtError
from detrt.heads.options import DetectorOptions, read_detector_options, read_options

PLACE = "model.heads.gnetdet"


@dataclass(frozen=True, slots=True)
class HeadOptions(DetectorOptions):
    """`grid` rows and columns, `boxes` a cell, `conf` the least confidence; defaults are the vendor's decoder (GNetDet
    MDK, decoder.py).
    """

    grid: tuple[int, int] = (0, 0)
    boxes: int = 2
    conf: float = 0.1
    score: float = 0.1
    agnostic: bool = True

    @property
    def channels(self) -> int:
        """Depth of the output map: boxes * (dx, dy, w, h, confidence), then one channel a class."""
        return self.boxes * 5 + self.classes


@dataclass(frozen=True, slots=True)
class LossOptions:
    """Weights and choices of the loss; defaults are the vendor's (GNetDet MDK, loss.py)."""

    loc: float = 5.0
    contain: float = 2.0
    not_contain: float = 1.0
    noobj: float = 0.005
    cls: float = 1.0
    norm_init: float | None = 100.0
    norm_momentum: float = 0.9
    detach_iou: bool = False
    sqrt_eps: float = 0.0
    class_weights: tuple[float, ...] | None = None
    dead: float = 0.0


def read_head_options(given: Mapping[str, Any]) -> HeadOptions:
    """From `lock["model"]["heads"][i]["options"]`. Raises DetrtError for what no GNetDet head can have."""
    options = read_detector_options(HeadOptions, given, PLACE)
    if options.boxes < 1 or len(options.grid) != 2 or min(options.grid) < 1:
        raise DetrtError("a GNetDet head needs a grid and at least one box a cell", PLACE)
    return options


def read_loss_options(given: Mapping[str, Any], classes: int) -> LossOptions:
    """From a stage's `loss`. Raises DetrtError, also where `class_weights` are not one a class."""
    options = read_options(LossOptions, given, "loss")
    if options.class_weights is not None and len(options.class_weights) != classes:
        raise DetrtError(f"{len(options.class_weights)} class weights for {classes} classes", "loss.class_weights")
    if not 0 <= options.norm_momentum < 1:
        raise DetrtError(f"norm_momentum {options.norm_momentum:g} is not in 0 .. 1", "loss.norm_momentum")
    return options

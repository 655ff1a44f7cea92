"""The numbers of a YOLOX head and of its loss, read from the lock and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detrt.errors import DetrtError
from detrt.heads.cells import check_strides
from detrt.heads.options import DetectorOptions, no_weight_below_0, read_detector_options, read_options

PLACE = "model.heads.yolox"


@dataclass(frozen=True, slots=True)
class HeadOptions(DetectorOptions):
    """`strides`: pixels of a cell of each map. Defaults are those of Megvii-BaseDetection/YOLOX@6ddff48 (yolox_base.py)."""

    nms: float = 0.65
    strides: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LossOptions:
    """Weights `iou`, `obj`, `cls`, `l1`; `radius`: cells around an object's centre that may predict it. Defaults are those
    of Megvii-BaseDetection/YOLOX@6ddff48 (yolo_head.py).
    """

    radius: float = 1.5
    iou: float = 5.0
    obj: float = 1.0
    cls: float = 1.0
    l1: float = 1.0


def read_head_options(given: Mapping[str, Any]) -> HeadOptions:
    """From `lock["model"]["heads"][i]["options"]`. Raises DetrtError for what no YOLOX head can have."""
    options = read_detector_options(HeadOptions, given, PLACE)
    check_strides(options.strides, PLACE)
    return options


def read_loss_options(given: Mapping[str, Any]) -> LossOptions:
    """From a stage's `loss`. Raises DetrtError."""
    options = read_options(LossOptions, given, "loss")
    no_weight_below_0(options, "loss")
    if not options.radius:
        raise DetrtError("`radius` is 0: no cell could predict an object", "loss.radius", "1.5 is usual")
    return options

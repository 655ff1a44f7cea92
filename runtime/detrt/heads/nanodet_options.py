"""The numbers of a NanoDet-Plus head and of its loss, read from the lock and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detrt.errors import DetrtError
from detrt.heads.cells import check_strides
from detrt.heads.options import DetectorOptions, no_weight_below_0, read_detector_options, read_options

PLACE = "model.heads.nanodet"


@dataclass(frozen=True, slots=True)
class HeadOptions(DetectorOptions):
    """`strides`: pixels of a cell of each map; `reg_max`: greatest distance of a side in strides, so reg_max + 1 bins a
    side. Defaults are those of RangiLyu/nanodet@be9b4a9 (nanodet_plus_head.py).
    """

    score: float = 0.05
    nms: float = 0.6
    strides: tuple[int, ...] = ()
    reg_max: int = 7

    @property
    def channels(self) -> int:
        """Depth of each map: the classes, then the bins of the left, top, right and bottom side."""
        return self.classes + 4 * (self.reg_max + 1)


@dataclass(frozen=True, slots=True)
class LossOptions:
    """Weights `qfl`, `dfl`, `giou`; `beta`: exponent of the quality focal loss. Defaults are those of
    RangiLyu/nanodet@be9b4a9 (config/nanodet-plus-m_320.yml).
    """

    qfl: float = 1.0
    dfl: float = 0.25
    giou: float = 2.0
    beta: float = 2.0


def read_head_options(given: Mapping[str, Any]) -> HeadOptions:
    """From `lock["model"]["heads"][i]["options"]`. Raises DetrtError for what no NanoDet head can have."""
    options = read_detector_options(HeadOptions, given, PLACE)
    check_strides(options.strides, PLACE)
    if not 1 <= options.reg_max <= 1000:
        raise DetrtError(f"`reg_max` is {options.reg_max}", f"{PLACE}.reg_max", "1 to 1000 strides")
    return options


def read_loss_options(given: Mapping[str, Any]) -> LossOptions:
    """From a stage's `loss`. Raises DetrtError."""
    options = read_options(LossOptions, given, "loss")
    no_weight_below_0(options, "loss")
    return options

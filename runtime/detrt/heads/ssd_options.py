"""The numbers of an SSD head and of its loss, read from the lock and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detrt.errors import DetrtError
from detrt.heads.options import DetectorOptions, no_weight_below_0, read_detector_options, read_options

PLACE = "model.heads.ssd"


@dataclass(frozen=True, slots=True)
class HeadOptions(DetectorOptions):
    """`classes` without the background; `variance` of centres and of sizes; `priors` as ssd_priors.read_priors takes
    them. Defaults are those of qfgaohao/pytorch-ssd (mobilenetv1_ssd_config.py, predictor.py).
    """

    nms: float = 0.45
    priors: Any = None
    variance: tuple[float, float] = (0.1, 0.2)


@dataclass(frozen=True, slots=True)
class LossOptions:
    """Weights `cls` and `loc`; `neg_ratio` negatives a positive prior; `iou` from which a prior is positive. Defaults are
    those of qfgaohao/pytorch-ssd (multibox_loss.py, train_ssd.py).
    """

    cls: float = 1.0
    loc: float = 1.0
    neg_ratio: float = 3.0
    iou: float = 0.5


def read_head_options(given: Mapping[str, Any]) -> HeadOptions:
    """From `lock["model"]["heads"][i]["options"]`. Raises DetrtError for what no SSD head can have."""
    options = read_detector_options(HeadOptions, given, PLACE)
    if len(options.variance) != 2 or not all(isinstance(v, (int, float)) and v > 0 for v in options.variance):
        raise DetrtError("`variance` is not two numbers above 0", f"{PLACE}.variance")
    return options


def read_loss_options(given: Mapping[str, Any]) -> LossOptions:
    """From a stage's `loss`. Raises DetrtError."""
    options = read_options(LossOptions, given, "loss")
    no_weight_below_0(options, "loss")
    return options

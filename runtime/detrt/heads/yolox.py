"""The YOLOX head: every cell of every map predicts one box, its confidence and its classes, without anchors (Ge et al.,
YOLOX, 2021; Megvii-BaseDetection/YOLOX@6ddff48).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detrt.heads.assigning import Places, flat
from detrt.heads.base import Head, Reduce, maps_of
from detrt.heads.cells import cells_of
from detrt.heads.detections import Detections
from detrt.heads.yolox_decode import check_outputs, decode_maps
from detrt.heads.yolox_loss import yolox_loss
from detrt.heads.yolox_options import HeadOptions, read_head_options, read_loss_options


class YoloxHead(Head):
    """Reads three outputs: boxes (4 channels), object (1) and classes, raw, a map a stride. Targets are the padded ground
    truth: which cell predicts which object depends on what the net predicts.
    """

    kind = "yolox"

    def __init__(self, head: Mapping[str, Any], loss: Mapping[str, Any]) -> None:
        super().__init__(head)
        self.options: HeadOptions = read_head_options(head.get("options") or {})
        self._loss = read_loss_options(loss)
        self._l1 = False

    def begin_epoch(self, epoch: int, epochs: int, no_aug: bool) -> None:
        """The term `l1` belongs to the last epochs, without augmentation."""
        self._l1 = no_aug

    def loss(
        self, outputs: Any, targets: Tensor, reduce: Reduce | None = None, update: bool = True
    ) -> dict[str, Tensor]:
        """`iou`, `obj`, `cls` and, in the last epochs, `l1`, summed and divided by the global batch's cells with an object.

        `targets` [n, G, 5]; see yolox_loss. All of it in float32, whatever the outputs are.
        """
        maps = maps_of(outputs, self.on)
        grids = check_outputs([[tuple(one.shape[1:]) for one in each] for each in maps], self.options)
        box, obj, cls = (flat(each) for each in maps)
        cells = Places.of(cells_of(grids, self.options.strides, self.options.image), targets.device)
        with torch.autocast(targets.device.type, enabled=False):
            sums, count = yolox_loss(box, obj, cls, targets, cells, self._loss, self._l1)
            norm = (reduce(count) if reduce is not None else count).clamp_min(1)
            return {name: value / norm for name, value in sums.items()}

    def decode_one(self, outputs: Mapping[str, list[NDArray[np.float32]]], options: Any) -> Detections:
        box, obj, cls = (outputs[name] for name in self.on)
        return decode_maps(box, obj, cls, options)

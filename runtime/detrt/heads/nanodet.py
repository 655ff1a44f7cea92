"""The NanoDet-Plus head: every cell of every map predicts its classes and the distances of a box's sides as
distributions (Li et al., Generalized Focal Loss, 2020; RangiLyu/nanodet@be9b4a9).
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
from detrt.heads.cells import cells_of, check_maps
from detrt.heads.detections import Detections
from detrt.heads.nanodet_decode import decode_maps
from detrt.heads.nanodet_loss import nanodet_loss
from detrt.heads.nanodet_options import PLACE, HeadOptions, read_head_options, read_loss_options


class NanodetHead(Head):
    """Reads one output: a map a stride of the classes, then reg_max + 1 bins for the left, top, right and bottom side,
    all raw. Targets are the padded ground truth: which cell predicts which object depends on what the net predicts.

    The reference lets the predictions of an auxiliary head, which exists in training alone, say which; here the head's
    own do.
    """

    kind = "nanodet"

    def __init__(self, head: Mapping[str, Any], loss: Mapping[str, Any]) -> None:
        super().__init__(head)
        self.options: HeadOptions = read_head_options(head.get("options") or {})
        self._loss = read_loss_options(loss)

    def matches(self, boxes: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many boxes of each class hold the corner of a cell, at the size of the net's input: int64 [classes]; no cell
        can predict the rest.
        """
        height, width = self.options.image
        grids = [(-(-height // stride), -(-width // stride)) for stride in self.options.strides]
        corner = cells_of(grids, self.options.strides, self.options.image).corner / np.array(
            [width, height], np.float32
        )
        boxes = np.asarray(boxes, np.float32).reshape(-1, 1, 4)
        inside = np.all((boxes[..., :2] < corner) & (corner < boxes[..., 2:]), axis=2)
        held = np.any(inside, axis=1)
        return np.bincount(np.asarray(labels, np.int64)[held], minlength=self.options.classes)

    def loss(
        self, outputs: Any, targets: Tensor, reduce: Reduce | None = None, update: bool = True
    ) -> dict[str, Tensor]:
        """`qfl`, divided by the global batch's cells with an object; `dfl` and `giou`, divided by the weights of these.

        `targets` [n, G, 5]; see nanodet_loss. All of it in float32, whatever the outputs are.
        """
        (maps,) = maps_of(outputs, self.on)
        options = self.options
        check_maps([tuple(one.shape[1:]) for one in maps], self.on[0], options.channels, PLACE)
        grids = [(one.shape[2], one.shape[3]) for one in maps]
        cells = Places.of(cells_of(grids, options.strides, options.image), targets.device)
        with torch.autocast(targets.device.type, enabled=False):
            rows = flat(maps)
            sides = rows[..., options.classes :].reshape(*rows.shape[:2], 4, options.reg_max + 1)
            sums, norms = nanodet_loss(rows[..., : options.classes], sides, targets, cells, self._loss)
            count, weight = (reduce(norms) if reduce is not None else norms).clamp_min(1)
            return {name: value / (count if name == "qfl" else weight) for name, value in sums.items()}

    def decode_one(self, outputs: Mapping[str, list[NDArray[np.float32]]], options: Any) -> Detections:
        return decode_maps(outputs[self.on[0]], options)

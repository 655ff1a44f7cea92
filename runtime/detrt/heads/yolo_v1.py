"""The YOLOv1 head: a flat output whose cells each hold a few boxes and one class distribution (Redmon et al., YOLO, 2016;
pjreddie/darknet, src/detection_layer.c).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detrt.errors import DetrtError
from detrt.heads.base import Head, Reduce, maps_of
from detrt.heads.darknet import half_square, pictures, unweakened
from detrt.heads.detections import Detections
from detrt.heads.overlap import corners, iou
from detrt.heads.yolo_options import V1Loss, V1Options, read_v1
from detrt.heads.yolo_v1_target import decode_flat, encode


class YoloV1Head(Head):
    """Reads one vector: classes of all cells, confidences, boxes, in darknet's order. Its grid is fixed."""

    kind = "yolo_v1"

    def __init__(self, head: Mapping[str, Any], loss: Mapping[str, Any]) -> None:
        super().__init__(head)
        self.options: V1Options
        self.options, self._loss = read_v1(head.get("options") or {}, loss)

    def targets(self, boxes: NDArray[np.float32] | Tensor, labels: NDArray[np.int64] | Tensor) -> Tensor:
        """float32 [rows, columns, 5] of one picture; see `encode`."""
        return torch.from_numpy(encode(np.asarray(boxes, np.float32), np.asarray(labels, np.int64), self.options))

    def matches(self, boxes: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many boxes of each class have a cell of their own: int64 [classes]."""
        kept = encode(boxes, labels, self.options)[..., 0]
        return np.bincount(kept[kept >= 0].astype(np.int64), minlength=self.options.classes)

    def loss(
        self, outputs: Any, targets: Tensor, reduce: Reduce | None = None, update: bool = True
    ) -> dict[str, Tensor]:
        """`coord`, `obj`, `noobj`, `cls`, divided by the pictures of the global batch (see darknet.pictures).

        `outputs` [n, features], `targets` [n, rows, columns, 5]; see v1_loss.
        """
        ((flat,),) = maps_of(outputs, self.on)
        if flat.shape[1:] != (self.options.features,):
            raise DetrtError(
                f"the head expects {self.options.features} features, the model gives {tuple(flat.shape[1:])}",
                "model.heads.yolo_v1",
            )
        with torch.autocast(targets.device.type, enabled=False):
            sums = v1_loss(unweakened(flat), targets, self.options, self._loss)
            count = pictures(targets, reduce)
            return {name: value / count for name, value in sums.items()}

    def decode_one(self, outputs: Mapping[str, list[NDArray[np.float32]]], options: Any) -> Detections:
        return decode_flat(outputs[self.on[0]][0], options)


def v1_loss(flat: Tensor, targets: Tensor, options: V1Options, weights: V1Loss) -> dict[str, Tensor]:
    """Weighted half squared errors, summed: their gradients are darknet's deltas.

    Of a cell with an object the box that overlaps it most is responsible, where none does the one with the least root of
    squared distances of x, y, w, h. Sizes are compared by their roots, which is what the net predicts. The confidence of
    the responsible box aims at its IoU (`rescore`) or 1, all others at 0. Classes are learned where an object is.
    """
    rows, columns = options.grid
    n, cells, boxes = len(flat), rows * columns, options.boxes
    chance, confidence, slots = torch.split(flat, [cells * options.classes, cells * boxes, cells * boxes * 4], dim=1)
    confidence = confidence.reshape(n, cells, boxes)
    aims = targets.reshape(n, cells, 5).to(flat.dtype)
    at = (aims[..., 0] >= 0).nonzero(as_tuple=True)
    aim, slot = aims[at], slots.reshape(n, cells, boxes, 4)[at]

    with torch.no_grad():
        grid = slot.new_tensor([columns, rows])
        found = torch.cat([slot[..., :2] / grid, slot[..., 2:].square()], -1)
        truth = torch.cat([aim[:, None, 1:3] / grid, aim[:, None, 3:]], -1)
        overlap = iou(corners(found), corners(truth))
        distance = (found - truth).square().sum(-1)
        responsible = torch.where(overlap.amax(1) > 0, overlap.argmax(1), distance.argmin(1))
        best = overlap.gather(1, responsible[:, None])[:, 0]
        mine = torch.zeros_like(confidence, dtype=torch.bool)
        mine[(*at, responsible)] = True

    slot = slot[torch.arange(len(slot), device=slot.device), responsible]
    goal = best if weights.rescore else torch.ones_like(best)
    wanted = torch.cat([aim[:, 1:3], aim[:, 3:].clamp_min(0).sqrt()], 1)
    picked = chance.reshape(n, cells, options.classes)[at]
    classes = torch.nn.functional.one_hot(aim[:, 0].long(), options.classes)
    return {
        "coord": weights.coord * half_square(slot - wanted),
        "obj": weights.obj * half_square(confidence[(*at, responsible)] - goal),
        "noobj": weights.noobj * half_square(confidence.masked_fill(mine, 0)),
        "cls": weights.cls * half_square(picked - classes),
    }

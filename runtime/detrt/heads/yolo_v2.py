"""The YOLOv2 head: a map whose cells hold a box for each anchor (Redmon and Farhadi, YOLO9000, 2017; pjreddie/darknet,
src/region_layer.c), and the form that ST trains (STMicroelectronics/stm32ai-modelzoo@645aae15).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from detrt.errors import DetrtError
from detrt.heads.base import Head, Reduce, maps_of
from detrt.heads.darknet import (
    Objects,
    best_overlap,
    boxes_of,
    half_square,
    laid_out,
    last_of_each,
    nearest_shape,
    pictures,
)
from detrt.heads.detections import Detections
from detrt.heads.overlap import corners, iou
from detrt.heads.yolo_decode import decode_v2, paired, v2_anchors
from detrt.heads.yolo_options import V2Loss, V2Options, read_v2


class YoloV2Head(Head):
    """Reads one map or a list of maps. Each map has anchors of its own and learns every object by the one of them that is
    nearest in shape; with several maps (ST's st_yolo_x_nano) each learns all objects.

    The state `seen` counts pictures, for the pull towards the anchors at first.
    """

    kind = "yolo_v2"

    def __init__(self, head: Mapping[str, Any], loss: Mapping[str, Any]) -> None:
        super().__init__(head)
        self.options: V2Options
        self.options, self._loss = read_v2(head.get("options") or {}, loss)
        self._seen = torch.zeros(1, dtype=torch.int64)

    def loss(
        self, outputs: Any, targets: Tensor, reduce: Reduce | None = None, update: bool = True
    ) -> dict[str, Tensor]:
        """`coord`, `object`, `noobject`, `cls` and `prior` (0 after the first pictures), divided by the pictures of the
        global batch.

        `targets` [n, G, 5]; see v2_loss.
        """
        (maps,) = maps_of(outputs, self.on)
        options = self.options
        with torch.autocast(targets.device.type, enabled=False):
            count = pictures(targets, reduce)
            early = update and self._loss.target == "darknet" and int(self._seen) < self._loss.prior_images
            total: dict[str, Tensor] = {}
            for map, pairs in paired(maps, options.anchors, self.kind):
                raw = laid_out(map, len(pairs), options.classes, self.kind)
                anchors = torch.from_numpy(v2_anchors(pairs, options.unit, map.shape[2:])).to(raw)
                for name, value in v2_loss(raw, targets, anchors, self._loss, early).items():
                    total[name] = total[name] + value if name in total else value
            if update:
                self._seen += int(count)
            return {name: value / count for name, value in total.items()}

    def decode_one(self, outputs: Mapping[str, list[NDArray[np.float32]]], options: Any) -> Detections:
        return decode_v2(outputs[self.on[0]], options)

    def state_dict(self) -> dict[str, Tensor]:
        return {"seen": self._seen.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restores `state_dict()`. Raises DetrtError for a foreign state."""
        if set(state) != {"seen"} or state["seen"].shape != self._seen.shape:
            raise DetrtError(f"the state of the loss has {sorted(state)}, expected seen")
        self._seen = state["seen"].detach().to("cpu", torch.int64).clone()


def v2_loss(raw: Tensor, targets: Tensor, anchors: Tensor, weights: V2Loss, early: bool) -> dict[str, Tensor]:
    """Weighted sums for one map; `raw` as `laid_out` gives it, `anchors` [A, 2] as shares of the picture.

    An object belongs to its cell and to the anchor nearest in shape; a later one takes the place of an earlier one.
    Half squared errors of the sigmoids of x and y against the place in the cell, of w and h against log(size / anchor),
    of the confidence against 1 or, with `rescore`, the IoU; every other box aims at confidence 0 unless it overlaps some
    object by more than `ignore`.

    darknet: small objects count up to twice, by 2 - area; classes by the cross entropy of their softmax, whose gradient is
    darknet's delta; while `early`, boxes without object are drawn to their anchor in the middle of their cell.
    st: no such factor; classes by the half squared error of their softmax.
    """
    n, count, rows, columns = raw.shape[:4]
    with torch.no_grad():
        boxes = boxes_of(raw, anchors)
        free = best_overlap(boxes, targets)[0] <= weights.ignore
    objects = Objects.of(targets, raw.dtype)
    row, column = objects.cells(rows, columns)
    anchor = nearest_shape(objects.box[:, 2:], anchors)
    places = (objects.picture, anchor, row, column)
    kept = last_of_each(places, (n, count, rows, columns)) == torch.arange(len(anchor), device=raw.device)
    at = tuple(place[kept] for place in places)
    objects, mine = objects.take(kept), torch.zeros_like(free)
    mine[at] = True

    picked, box = raw[at], objects.box
    place = torch.stack([box[:, 0] * columns - at[3], box[:, 1] * rows - at[2]], 1)
    size = (box[:, 2:] / anchors[at[1]]).log()
    off = torch.cat([picked[:, :2].sigmoid() - place, picked[:, 2:4] - size], 1)
    aim = iou(corners(boxes[at]), corners(box)) if weights.rescore else torch.ones_like(off[:, 0])
    confidence = raw[..., 4].sigmoid()
    if weights.target == "darknet":
        off = off * (2 - box[:, 2:].prod(1, keepdim=True)).sqrt()
        classes = cross_entropy(picked[:, 5:], objects.label, reduction="sum")
    else:
        classes = half_square(picked[:, 5:].softmax(1) - one_hot(objects.label, picked.shape[1] - 5))
    terms = {
        "coord": weights.coord * half_square(off),
        "object": weights.object * half_square(picked[:, 4].sigmoid() - aim),
        "noobject": weights.noobject * half_square(confidence * (free & ~mine)),
        "cls": weights.cls * classes,
    }
    if weights.target == "darknet" and weights.prior_images:
        others = raw[..., :4][~mine] if early else raw[:0].reshape(0, raw.shape[4])
        terms["prior"] = weights.prior * half_square(torch.cat([others[:, :2].sigmoid() - 0.5, others[:, 2:4]], 1))
    return terms

"""The YOLOv3 head: maps at several strides that share one list of anchors (Redmon and Farhadi, YOLOv3, 2018;
pjreddie/darknet, src/yolo_layer.c).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

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
from detrt.heads.yolo_decode import decode_v3, paired, v3_anchors
from detrt.heads.yolo_options import V3Loss, V3Options, read_v3


class YoloV3Head(Head):
    """Reads a list of maps. Of all anchors the one that is nearest in shape to an object learns it, on the map whose mask
    has it.
    """

    kind = "yolo_v3"

    def __init__(self, head: Mapping[str, Any], loss: Mapping[str, Any]) -> None:
        super().__init__(head)
        self.options: V3Options
        self.options, self._loss = read_v3(head.get("options") or {}, loss)

    def loss(
        self, outputs: Any, targets: Tensor, reduce: Reduce | None = None, update: bool = True
    ) -> dict[str, Tensor]:
        """`coord`, `obj`, `noobj`, `cls`, divided by the pictures of the global batch. `targets` [n, G, 5]; see v3_loss."""
        (maps,) = maps_of(outputs, self.on)
        options = self.options
        with torch.autocast(targets.device.type, enabled=False):
            pairs = paired(maps, options.masks, self.kind)
            anchors = torch.from_numpy(v3_anchors([map.shape[2:] for map in maps], options)).to(targets.device)
            total: dict[str, Tensor] = {}
            for map, mask in pairs:
                raw = laid_out(map, len(mask), options.classes, self.kind)
                for name, value in v3_loss(raw, targets, anchors.to(raw), mask, self._loss).items():
                    total[name] = total[name] + value if name in total else value
            count = pictures(targets, reduce)
            return {name: value / count for name, value in total.items()}

    def decode_one(self, outputs: Mapping[str, list[NDArray[np.float32]]], options: Any) -> Detections:
        return decode_v3(outputs[self.on[0]], options)


def v3_loss(raw: Tensor, targets: Tensor, anchors: Tensor, mask: tuple[int, ...], weights: V3Loss) -> dict[str, Tensor]:
    """Weighted sums for one map; `raw` as `laid_out` gives it, `anchors` [A, 2] all of them as shares of the picture.

    Cross entropies of the sigmoids of x, y, confidence and classes and the half squared error of w and h against
    log(size / anchor): their gradients are darknet's deltas. Small objects count up to twice, by 2 - area. A later object
    takes the place of an earlier one and keeps its class besides its own. A box that overlaps an object by more than
    `ignore` is no false alarm, by more than `truth` it learns that object too.
    """
    n, count, rows, columns = raw.shape[:4]
    masked = torch.tensor(mask, device=raw.device)
    own = anchors[masked]
    with torch.no_grad():
        best, which = best_overlap(boxes_of(raw, own), targets)
    objects = Objects.of(targets, raw.dtype)
    match = nearest_shape(objects.box[:, 2:], anchors)[:, None] == masked
    objects, anchor = objects.take(match.any(1)), match[match.any(1)].int().argmax(1)
    row, column = objects.cells(rows, columns)
    places = (objects.picture, anchor, row, column)
    owner = last_of_each(places, (n, count, rows, columns))
    order = torch.arange(len(owner), device=raw.device)
    classes = raw.new_zeros(len(owner), raw.shape[4] - 5)
    classes[owner, objects.label] = 1
    kept = owner == order
    at = tuple(place[kept] for place in places)
    box, classes = objects.box[kept], classes[kept]

    mine = torch.zeros_like(best, dtype=torch.bool)
    mine[at] = True
    near = (best > weights.truth) & ~mine
    if weights.truth < 1 and bool(near.any()):  # no IoU exceeds 1
        more = near.nonzero(as_tuple=True)
        found = targets[more[0], which[more]].to(raw.dtype)
        low, high = found[:, 1:3], found[:, 3:5]
        at = tuple(torch.cat([a, b]) for a, b in zip(at, more, strict=True))
        box = torch.cat([box, torch.cat([(low + high) / 2, high - low], 1)])
        classes = torch.cat([classes, one_hot(found[:, 0].long(), classes.shape[1]).to(classes)])
        mine = mine | near

    picked = raw[at]
    place = torch.stack([box[:, 0] * columns - at[3], box[:, 1] * rows - at[2]], 1)
    size = (box[:, 2:] / own[at[1]]).log()
    small = 2 - box[:, 2:].prod(1, keepdim=True)
    xy = binary_cross_entropy_with_logits(picked[:, :2], place, weight=small, reduction="sum")
    wrong = (~mine & (best <= weights.ignore)).to(raw)
    nothing = torch.zeros_like(raw[..., 4])
    return {
        "coord": weights.coord * (xy + half_square((picked[:, 2:4] - size) * small.sqrt())),
        "obj": weights.obj
        * binary_cross_entropy_with_logits(picked[:, 4], torch.ones_like(picked[:, 4]), reduction="sum"),
        "noobj": weights.noobj * binary_cross_entropy_with_logits(raw[..., 4], nothing, weight=wrong, reduction="sum"),
        "cls": weights.cls * binary_cross_entropy_with_logits(picked[:, 5:], classes, reduction="sum"),
    }

"""Which detection found which box: the ground of curves, sweeps and confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detrt.data.sample import Annotation, DataSet
from detrt.errors import DetrtError
from detrt.heads.detections import Detections
from detrt.heads.nms import iou_matrix


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """All detections of a split, best first, those that fell on a crowd or a difficult box left out.

    `scores` float32 [n], `labels` int64 [n], `right` bool [n]: found a box of its class that no better one had found.
    `asked` int64 [classes]: boxes that had to be found.
    """

    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    right: NDArray[np.bool_]
    asked: NDArray[np.int64]

    def of_class(self, label: int) -> Matches:
        mask = self.labels == label
        return Matches(self.scores[mask], self.labels[mask], self.right[mask], self.asked[label : label + 1])


def match(dataset: DataSet, detections: Sequence[Detections], iou: float = 0.5) -> Matches:
    """Matches every picture's detections with its boxes, class by class, best score first, each with the free box that it
    overlaps most, by at least `iou`. Raises DetrtError if there is not one entry a picture.
    """
    if len(detections) != len(dataset):
        raise DetrtError(f"{len(detections)} pictures with detections, the split has {len(dataset)}")
    asked = np.zeros(len(dataset.classes), np.int64)
    scores, labels, right = [np.zeros(0, np.float32)], [np.zeros(0, np.int64)], [np.zeros(0, bool)]
    for picture, found in zip(dataset.pictures, detections, strict=True):
        truth = picture.annotation
        wanted = ~(truth.crowd | truth.difficult)
        np.add.at(asked, truth.labels[wanted], 1)
        found = found.take(np.argsort(-found.scores, kind="stable"))
        partner = partners(found, truth, picture.width, picture.height, iou, by_class=True)
        hit = partner >= 0
        counts = ~hit
        counts[hit] = wanted[partner[hit]]
        scores.append(found.scores[counts])
        labels.append(found.labels[counts])
        right.append(hit[counts])
    joined = np.concatenate(scores)
    order = np.argsort(-joined, kind="stable")
    return Matches(joined[order], np.concatenate(labels)[order], np.concatenate(right)[order], asked)


def partners(
    found: Detections, truth: Annotation, width: int, height: int, iou: float, by_class: bool
) -> NDArray[np.int64]:
    """The box that each detection (best first) has found, -1 for none: int64 [n]. A box is found once; boxes to be ignored
    take any number of detections that find no other: those of which a share of `iou` lies inside (COCO's rule for crowds).
    """
    partner = np.full(len(found), -1, np.int64)
    if not len(found) or not len(truth):
        return partner
    boxes = found.pixels(width, height)
    overlap = iou_matrix(boxes, truth.boxes)
    ignored = truth.crowd | truth.difficult
    if ignored.any():
        overlap[:, ignored] = inside(boxes, truth.boxes[ignored])
    overlap[overlap < iou] = 0
    if by_class:
        overlap[found.labels[:, None] != truth.labels[None, :]] = 0
    free = ~ignored
    for row in np.flatnonzero(overlap.any(axis=1)):
        open_to = overlap[row] * free
        if not open_to.any():
            open_to = overlap[row] * ignored
        best = int(open_to.argmax())
        if open_to[best] > 0:
            partner[row] = best
            free[best] = False
    return partner


def inside(boxes: NDArray[np.float32], regions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of each box [n, 4] that lies in each region [m, 4]: float32 [n, m], 0 for an empty box."""
    low = np.maximum(boxes[:, None, :2], regions[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    inner = np.maximum(high - low, 0).prod(axis=-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=-1)[:, None]
    return np.asarray(np.divide(inner, area, out=np.zeros_like(inner), where=area > 0), np.float32)

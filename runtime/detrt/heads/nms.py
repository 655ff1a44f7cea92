"""Non-maximum suppression: of boxes that overlap too much the best-scored one stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detrt.heads.detections import Detections

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

BLOCK = 64
"""Boxes that are compared with all the rest at once: the arrays of a step then stay in the processor's cache."""

SOFT = ("none", "linear", "gaussian")
SIGMA = 0.5
"""Width of the gaussian decay (Bodla et al., Soft-NMS, 2017, section 3)."""


def iou_matrix(a: Floats, b: Floats) -> Floats:
    """Intersection over union of every box of `a` [n, 4] with every box of `b` [m, 4]: float32 [n, m]; 0 where both
    are empty.
    """
    # A coordinate at a time: numpy is slow along an axis of two.
    (x1, y1, x2, y2), others = (np.ascontiguousarray(boxes.T) for boxes in (a, b))
    inner = np.maximum(np.minimum(x2[:, None], others[2]) - np.maximum(x1[:, None], others[0]), 0)
    inner *= np.maximum(np.minimum(y2[:, None], others[3]) - np.maximum(y1[:, None], others[1]), 0)
    union = _area(a)[:, None] + _area(b) - inner
    return np.asarray(np.divide(inner, union, out=np.zeros_like(inner), where=union > 0), np.float32)


def nms(boxes: Floats, scores: Floats, threshold: float, labels: NDArray[np.int64] | None = None) -> Indices:
    """Indices of the boxes [n, 4] that stay, best first; equal scores keep their order. One goes if its IoU with a
    better one exceeds `threshold`.

    With `labels` [n] only boxes of the same class compete. A NaN score never stays. This is the definition, a box at
    a time; `select` does the same in blocks.
    """
    order = _best_first(scores)
    x1, y1, x2, y2 = np.ascontiguousarray(boxes[order].T)
    area = (x2 - x1) * (y2 - y1)
    rivals = labels[order] if labels is not None else None
    left = np.arange(len(order))
    kept = []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(best)
        width = np.minimum(x2[best], x2[left]) - np.maximum(x1[best], x1[left])
        height = np.minimum(y2[best], y2[left]) - np.maximum(y1[best], y1[left])
        inner = np.maximum(width, 0) * np.maximum(height, 0)
        union = area[best] + area[left] - inner
        clash = np.divide(inner, union, out=np.zeros_like(inner), where=union > 0) > threshold
        if rivals is not None:
            clash &= rivals[left] == rivals[best]
        left = left[~clash]
    return order[kept]


def select(
    boxes: Floats,
    scores: Floats,
    labels: NDArray[np.int64],
    *,
    nms: float,
    agnostic: bool = False,
    soft: str = "none",
    max_detections: int = 100,
    score: float = 0.0,
    candidates: int | None = None,
) -> Detections:
    """The detections among boxes [n, 4] x1 y1 x2 y2 with scores [n] and class numbers [n], best first.

    Boxes whose score does not exceed `score` and boxes that are not finite never enter, nor do those after the best
    `candidates`. Then, among boxes of one class or, if `agnostic`, of any: one goes if its IoU with a better one
    exceeds `nms`, 0 .. 1. `soft` lowers its score instead, by 1 - IoU above `nms` (linear) or by exp(-IoU^2 / 0.5) at
    any overlap (gaussian), until it falls to `score` (Bodla et al., Soft-NMS, 2017). At most `max_detections` stay.
    """
    scores = np.asarray(scores, np.float32)
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    labels = np.asarray(labels, np.int64)
    entered = np.flatnonzero(scores > np.float32(score))
    entered = entered[np.isfinite(boxes[entered]).all(axis=1)]
    if candidates is not None and len(entered) > candidates:  # sort no more than can enter: the best, and their equals
        least = np.partition(scores[entered], -candidates)[-candidates]
        entered = entered[scores[entered] >= least]
    order = entered[_best_first(scores[entered])][:candidates]
    found = Detections(boxes[order], scores[order], labels[order])
    rivals = None if agnostic else found.labels
    if soft != "none":
        return _softened(found, rivals, nms, soft, max_detections, score)
    return found.take(suppress(found.boxes, nms, rivals, max_detections))


def suppress(
    boxes: Floats, threshold: float, labels: NDArray[np.int64] | None = None, most: int | None = None
) -> Indices:
    """`nms` of boxes [n, 4] that lie best first already, by the same float32 arithmetic: the first `most` indices that
    stay, rising. `threshold` is in 0 .. 1.

    The best BLOCK of those left are compared with each other, and those that stay with all the rest, until enough stay.
    """
    x1, y1, x2, y2 = np.asarray(boxes, np.float32).T
    left = np.arange(len(x1))
    kept = left[:0]
    with np.errstate(all="ignore"):  # an empty union divides 0 by 0: not a number exceeds no threshold
        sides = np.stack([x1, y1, x2, y2, (x2 - x1) * (y2 - y1)])

        def clashes(a: Indices, b: Indices) -> NDArray[np.bool_]:
            clash = _clashes(sides[:, a], sides[:, b], threshold)
            return clash if labels is None else clash & (labels[a, None] == labels[b])

        while left.size and (most is None or len(kept) < most):
            block, left = left[:BLOCK], left[BLOCK:]
            clash = np.triu(clashes(block, block), 1)
            stays = np.ones(len(block), np.bool_)
            for i in np.flatnonzero(clash.any(axis=1)):
                if stays[i]:
                    stays &= ~clash[i]
            block = block[stays]
            kept = np.concatenate([kept, block])
            if left.size:
                left = left[~clashes(block, left).any(axis=0)]
    return kept[:most]


def _clashes(a: Floats, b: Floats, threshold: float) -> NDArray[np.bool_]:
    """Which pairs of boxes [5, n] and [5, m] overlap by more than `threshold`: bool [n, m]; steps as in `nms`, in
    place.

    A row is filled before it is compared: numpy's minimum of two arrays is several times faster than that of an array
    and a number.
    """
    inner, other = np.empty((2, a.shape[1], b.shape[1]), np.float32)
    height = np.empty_like(inner)
    inner[:], other[:], height[:] = a[2, :, None], a[0, :, None], a[3, :, None]
    np.minimum(inner, b[2], out=inner)
    inner -= np.maximum(other, b[0], out=other)
    np.minimum(height, b[3], out=height)
    other[:] = a[1, :, None]
    height -= np.maximum(other, b[1], out=other)
    nothing = np.zeros_like(b[0])
    np.maximum(inner, nothing, out=inner)
    inner *= np.maximum(height, nothing, out=height)
    union = np.add(a[4, :, None], b[4], out=other)
    union -= inner
    inner /= union
    return np.asarray(inner > threshold)


def _softened(
    found: Detections, rivals: NDArray[np.int64] | None, threshold: float, soft: str, most: int, score: float
) -> Detections:
    """Soft suppression of detections that lie best first: the best of those left is taken, then its rivals are lowered."""
    scores = found.scores.copy()
    left = np.arange(len(scores))
    taken: list[int] = []
    while left.size and len(taken) < most:
        at = int(scores[left].argmax())  # the first of equals
        best, left = left[at], np.delete(left, at)
        taken.append(best)
        overlap = iou_matrix(found.boxes[best : best + 1], found.boxes[left])[0]
        if soft == "linear":
            decay = np.where(overlap > threshold, 1 - overlap, np.float32(1))
        else:
            decay = np.exp(-overlap * overlap / np.float32(SIGMA))
        if rivals is not None:
            decay = np.where(rivals[left] == rivals[best], decay, np.float32(1))
        scores[left] *= decay
        left = left[scores[left] > np.float32(score)]
    chosen = np.array(taken, np.intp)
    return Detections(found.boxes[chosen], scores[chosen], found.labels[chosen])


def _best_first(scores: Floats) -> Indices:
    order = np.argsort(-scores, kind="stable")
    return order[~np.isnan(scores[order])]


def _area(boxes: Floats) -> Floats:
    size = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(size[:, 0] * size[:, 1], np.float32)

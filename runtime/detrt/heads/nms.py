"""Non-maximum suppression: of boxes that overlap too much the best-scored one stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def iou_matrix(a: Floats, b: Floats) -> Floats:
    """Intersection over union of every box of `a` [n, 4] with every box of `b` [m, 4]: float32 [n, m]; 0 where both
    are empty.
    """
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    side = np.maximum(high - low, 0)
    inner = side[..., 0] * side[..., 1]
    union = _area(a)[:, None] + _area(b)[None, :] - inner
    return np.asarray(np.divide(inner, union, out=np.zeros_like(inner), where=union > 0), np.float32)


def nms(boxes: Floats, scores: Floats, threshold: float, labels: NDArray[np.int64] | None = None) -> NDArray[np.intp]:
    """Indices of the boxes [n, 4] that stay, best first; equal scores keep their order. One goes if its IoU with a
    better one exceeds `threshold`.

    With `labels` [n] only boxes of the same class compete. A NaN score never stays.
    """
    order = np.argsort(-scores, kind="stable")
    order = order[~np.isnan(scores[order])]
    if len(order) < 2:
        return order
    sorted_boxes = boxes[order]
    clash = iou_matrix(sorted_boxes, sorted_boxes) > threshold
    if labels is not None:
        clash &= labels[order][:, None] == labels[order][None, :]
    alive = np.ones(len(order), bool)
    for i in np.flatnonzero(clash.sum(axis=1) > 1):
        if alive[i]:
            alive[i + 1 :] &= ~clash[i, i + 1 :]
    return order[alive]


def _area(boxes: Floats) -> Floats:
    size = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(size[:, 0] * size[:, 1], np.float32)

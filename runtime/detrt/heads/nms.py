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


def _area(boxes: Floats) -> Floats:
    size = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(size[:, 0] * size[:, 1], np.float32)

"""Greedy suppression of boxes by whole numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detrt.devices.stm32.arithmetic import Int64
from detrt.devices.stm32.postprocess.tables import ONE_BOX


def suppress(boxes: Int64, labels: Int64, nms: int, agnostic: bool, most: int) -> npt.NDArray[np.intp]:
    """The first `most` of boxes [n, 4], best first, that stay: rising indices.

    A box goes if one that stays before it, of its class in `labels` [n] or, if `agnostic`, of any, has
    intersection * 65536 > `nms` * union with it, and a union above 0 (a size may be negative). Coordinates lie in
    -2^21 .. 2^21, so 63 bits hold all of it.
    """
    x1, y1, x2, y2 = np.asarray(boxes, np.int64).T
    area = (x2 - x1) * (y2 - y1)
    kept: list[int] = []
    left = np.arange(len(x1))
    while left.size and len(kept) < most:
        best, left = left[0], left[1:]
        kept.append(int(best))
        width = np.maximum(np.minimum(x2[best], x2[left]) - np.maximum(x1[best], x1[left]), 0)
        height = np.maximum(np.minimum(y2[best], y2[left]) - np.maximum(y1[best], y1[left]), 0)
        inner = width * height
        union = area[best] + area[left] - inner
        goes = (union > 0) & (inner * ONE_BOX > nms * union)
        if not agnostic:
            goes &= labels[left] == labels[best]
        left = left[~goes]
    return np.array(kept, np.intp)

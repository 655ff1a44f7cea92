"""Anchors out of the boxes of a data set: k-means where the distance is 1 - IoU of two boxes laid over each other
(Redmon and Farhadi, YOLO9000, arXiv 1612.08242, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detrt.data.sample import DataSet
from detrt.errors import DetrtError

Sizes = NDArray[np.float64]
"""[n, 2] width and height."""
MOST_BOXES = 100_000
"""Boxes that take part; of more, so many are drawn."""
MOST = 64
ROUNDS, RESTARTS = 300, 5


@dataclass(frozen=True, slots=True)
class Anchors:
    """`sizes` [k, 2] by ascending area in pixels of the net's input; `mean_iou` is the mean of each box's best IoU,
    `covered` the share of boxes whose best is at least 0.5.
    """

    sizes: Sizes
    boxes: int
    mean_iou: float
    covered: float


def sizes_at(dataset: DataSet, width: int, height: int, mode: str = "stretch") -> Sizes:
    """Box sizes in pixels of an input of this size, as `mode` (stretch, letterbox or crop) brings pictures to it.

    Raises DetrtError where the split has no box.
    """
    parts = []
    for picture in dataset:
        if not len(picture.annotation) or not picture.width or not picture.height:
            continue
        x, y = width / picture.width, height / picture.height
        if mode != "stretch":
            x = y = min(x, y) if mode == "letterbox" else max(x, y)
        corners = picture.annotation.boxes.astype(np.float64)
        parts.append((corners[:, 2:] - corners[:, :2]) * (x, y))
    sizes = np.concatenate(parts) if parts else np.zeros((0, 2))
    sizes = sizes[(sizes > 0).all(axis=1)]
    if not len(sizes):
        raise DetrtError("the split has no box to make anchors of", f"data.{dataset.name}.{dataset.split}")
    return sizes


def find_anchors(sizes: Sizes, count: int, seed: int = 0) -> Anchors:
    """`count` anchors for boxes of `sizes`; the best of a few starts by mean IoU. The seed decides.

    Raises DetrtError for more anchors than there are different boxes.
    """
    rng = np.random.default_rng(seed)
    different = len(np.unique(sizes, axis=0))
    if not 1 <= count <= min(MOST, different):
        raise DetrtError(
            f"{count} anchors cannot be made of {different} different boxes", "", f"1 to {min(MOST, different)}"
        )
    used = sizes if len(sizes) <= MOST_BOXES else sizes[rng.choice(len(sizes), MOST_BOXES, replace=False)]
    best = max((_cluster(used, count, rng) for _ in range(RESTARTS)), key=lambda found: judged(used, found).mean_iou)
    return judged(sizes, best)


def judged(sizes: Sizes, anchors: Sizes) -> Anchors:
    """How well `anchors` [k, 2] fit."""
    best = overlaps(sizes, anchors).max(axis=1)
    order = np.argsort(anchors.prod(axis=1), kind="stable")
    return Anchors(anchors[order], len(sizes), float(best.mean()), float((best >= 0.5).mean()))


def overlaps(sizes: Sizes, anchors: Sizes) -> NDArray[np.float64]:
    """[n, k] IoU of boxes and anchors with a common corner."""
    inside = np.minimum(sizes[:, None], anchors[None]).prod(axis=2)
    return np.asarray(inside / (sizes.prod(axis=1)[:, None] + anchors.prod(axis=1)[None] - inside), np.float64)


def _cluster(sizes: Sizes, count: int, rng: np.random.Generator) -> Sizes:
    """Lloyd's rounds from k-means++ seeds until no box changes its anchor."""
    anchors = sizes[rng.integers(len(sizes))][None]
    while len(anchors) < count:
        away = np.maximum(1 - overlaps(sizes, anchors).max(axis=1), 0) ** 2
        anchors = np.vstack([anchors, sizes[rng.choice(len(sizes), p=away / away.sum())]])
    mine = np.full(len(sizes), -1)
    for _ in range(ROUNDS):
        nearest = overlaps(sizes, anchors).argmax(axis=1)
        if np.array_equal(nearest, mine):
            break
        mine = nearest
        anchors = np.array([sizes[mine == k].mean(axis=0) if (mine == k).any() else anchors[k] for k in range(count)])
    return np.asarray(anchors, np.float64)

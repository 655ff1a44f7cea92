"""Which anchors of which cells learn an object of a lava-dl YOLO, and which are left out (lava-nc/lava-dl@d825ac5,
object_detection/yolo_base.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detrt.heads.yolo_options import Pairs

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SdnnTarget:
    """Of one map: `state` int8 [n, A, rows, columns] (1: has an object, 0: has none, -1: left out), and of the objects, each
    as the last that claimed its place left it: `places` int64 [k, 4] (picture, anchor, row, column), `boxes` float32
    [k, 4] (x and y inside the cell, width and height in cells), `labels` int64 [k].
    """

    state: NDArray[np.int8]
    places: Indices
    boxes: Floats
    labels: Indices


def assign(
    truth: Floats, grids: Sequence[tuple[int, int]], anchors: Sequence[Pairs], threshold: float
) -> list[SdnnTarget]:
    """The targets of every map of a batch. `truth` float32 [n, G, 5] is padded ground truth, `grids` are rows and columns.

    An object goes through all anchors of all maps, the one nearest in shape first, and takes the first on each map that
    is free (state 0) in its cell. Every other one is left out (-1) unless it is taken already and nearer than
    `threshold`. Shapes are compared as shares of the picture although anchors are in cells, as upstream does: so on one
    map all other anchors of an object's cell are left out, and a late object may leave out the place of an earlier one.
    A state of -1 counts as taken.
    """
    sizes = [np.array(pairs, np.float32) for pairs in anchors]
    shapes = np.concatenate(sizes)
    owners = [(map, anchor) for map, pairs in enumerate(sizes) for anchor in range(len(pairs))]
    states = [np.zeros((len(truth), len(pairs), *grid), np.int8) for pairs, grid in zip(sizes, grids, strict=True)]
    claims: list[dict[tuple[int, int, int, int], tuple[Floats, int]]] = [{} for _ in grids]
    for picture, row in np.argwhere(truth[..., 0] >= 0):
        label, low, high = int(truth[picture, row, 0]), truth[picture, row, 1:3], truth[picture, row, 3:5]
        centre, size = (low + high) / 2, np.maximum(high - low, np.float32(1e-6))
        overlap = shape_overlap(size, shapes)
        served = [False] * len(grids)
        for index in np.argsort(-overlap, kind="stable"):
            map, anchor = owners[index]
            cells = np.array(grids[map][::-1], np.float32)
            column, line = (int(v) for v in np.clip(centre * cells, 0, cells - 1))
            place = (int(picture), anchor, line, column)
            taken = states[map][place] != 0
            if not taken and not served[map]:
                states[map][place] = 1
                inside = centre * cells - np.array([column, line], np.float32)
                claims[map][place] = (np.concatenate([inside, size * cells]), label)
                served[map] = True
            elif not (taken and overlap[index] > threshold):
                states[map][place] = -1
                claims[map].pop(place, None)
    return [_target(state, claimed) for state, claimed in zip(states, claims, strict=True)]


def shape_overlap(size: Floats, shapes: Floats) -> Floats:
    """IoU of a width and height [2] with others [A, 2] about one centre."""
    inner = np.minimum(size, shapes).prod(axis=1)
    return np.asarray(inner / (size.prod() + shapes.prod(axis=1) - inner), np.float32)


def _target(state: NDArray[np.int8], claimed: dict[tuple[int, int, int, int], tuple[Floats, int]]) -> SdnnTarget:
    places = np.array(list(claimed), np.int64).reshape(-1, 4)
    boxes = np.array([box for box, _ in claimed.values()], np.float32).reshape(-1, 4)
    return SdnnTarget(state, places, boxes, np.array([label for _, label in claimed.values()], np.int64))

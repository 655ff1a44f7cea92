"""The outputs of a NanoDet-Plus head back to boxes, in numpy: devices have no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.heads.cells import cells_of, check_maps, rows_of
from detrt.heads.detections import Detections
from detrt.heads.nanodet_options import PLACE, HeadOptions, read_head_options
from detrt.heads.nms import select

Floats = NDArray[np.float32]
CANDIDATES = 10_000
"""The best boxes of all classes that enter suppression: an untrained net takes every cell for everything."""


def decode_maps(maps: Sequence[Floats], options: HeadOptions) -> Detections:
    """The detections of one picture: every class whose probability exceeds `score`. A side's distance from the cell's
    corner is the mean of its bins in strides; boxes are clipped to the canvas (RangiLyu/nanodet@be9b4a9,
    nanodet_plus_head.py).
    """
    check_maps([one.shape for one in maps], "maps", options.channels, PLACE)
    cells = cells_of([(one.shape[1], one.shape[2]) for one in maps], options.strides, options.image)
    rows = rows_of(maps)
    with np.errstate(all="ignore"):
        chances = np.float32(1) / (np.float32(1) + np.exp(-rows[:, : options.classes]))
        cell, label = np.nonzero(chances > np.float32(options.score))
        used, which = np.unique(cell, return_inverse=True)
        bins = rows[used, options.classes :].reshape(-1, 4, options.reg_max + 1)
        powers = np.exp(bins - bins.max(axis=2, keepdims=True))
        mean = powers @ np.arange(options.reg_max + 1, dtype=np.float32) / powers.sum(axis=2)
        distance, corner = mean * cells.stride[used, None], cells.corner[used]
        canvas = np.array(cells.canvas, np.float32)
        low, high = corner - distance[:, :2], corner + distance[:, 2:]
        boxes = np.concatenate([np.clip(side, 0, canvas) / canvas for side in (low, high)], axis=1)
    return select(
        boxes[which],
        chances[cell, label],
        label,
        nms=options.nms,
        agnostic=options.agnostic,
        soft=options.soft,
        max_detections=options.max_detections,
        score=options.score,
        candidates=CANDIDATES,
    )


def decoder(given: Mapping[str, Any]) -> Callable[[Floats | Mapping[str, Sequence[Floats]]], Detections]:
    """From the only output of one picture, its maps or its one map, to its detections. Raises DetrtError for options no
    head can have.
    """
    options = read_head_options(given)

    def decode(outputs: Floats | Mapping[str, Sequence[Floats]]) -> Detections:
        (maps,) = outputs.values() if isinstance(outputs, Mapping) else ([outputs],)
        return decode_maps(maps, options)

    return decode

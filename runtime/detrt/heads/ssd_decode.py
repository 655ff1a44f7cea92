"""The outputs of an SSD head back to boxes, in numpy: devices have no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.errors import DetrtError
from detrt.heads.detections import Detections
from detrt.heads.nms import select
from detrt.heads.ssd_options import PLACE, HeadOptions, read_head_options
from detrt.heads.ssd_priors import Priors, boxes_at, read_priors

Floats = NDArray[np.float32]
CANDIDATES = 10_000
"""The best boxes of all classes that enter suppression: an untrained net takes every prior for everything."""


def check_maps(shapes: Sequence[tuple[int, ...]], name: str, priors: Priors, each: int) -> None:
    """Raises DetrtError unless there is a map [priors of a cell * each, grid, grid] for every level."""
    if len(shapes) != len(priors.grids):
        raise DetrtError(f"`{name}` has {len(shapes)} maps, the priors {len(priors.grids)} levels", PLACE)
    for index, (shape, grid, cell) in enumerate(zip(shapes, priors.grids, priors.each, strict=True)):
        if tuple(shape) != (cell * each, grid, grid):
            raise DetrtError(
                f"the head expects {name}[{index}] of {(cell * each, grid, grid)}, the model gives {shape}", PLACE
            )


def rows_of(maps: Sequence[Floats], each: int) -> Floats:
    """[P, each] of maps [priors * each, rows, columns]: map by map, row by row, prior by prior."""
    return np.concatenate([one.transpose(1, 2, 0).reshape(-1, each) for one in maps])


def decode_maps(loc: Sequence[Floats], conf: Sequence[Floats], priors: Priors, options: HeadOptions) -> Detections:
    """The detections of one picture: every class whose softmax probability exceeds `score`, background apart, at its
    prior's box (qfgaohao/pytorch-ssd, predictor.py).
    """
    check_maps([one.shape for one in loc], "loc", priors, 4)
    check_maps([one.shape for one in conf], "conf", priors, options.classes + 1)
    logits = rows_of(conf, options.classes + 1)
    with np.errstate(invalid="ignore"):
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances = powers[:, 1:] / powers.sum(axis=1, keepdims=True)
    prior, label = np.nonzero(chances > np.float32(options.score))
    used, which = np.unique(prior, return_inverse=True)
    boxes = boxes_at(rows_of(loc, 4)[used], priors.centred[used], options.variance)
    return select(
        boxes[which],
        chances[prior, label],
        label,
        nms=options.nms,
        agnostic=options.agnostic,
        soft=options.soft,
        max_detections=options.max_detections,
        score=options.score,
        candidates=CANDIDATES,
    )


def decoder(given: Mapping[str, Any]) -> Callable[[Mapping[str, Sequence[Floats]]], Detections]:
    """From the two outputs of one picture, in their order in `outputs` (offsets, classes), to its detections. Raises
    DetrtError for options no head can have.
    """
    options = read_head_options(given)
    priors = read_priors(options.priors)

    def decode(outputs: Mapping[str, Sequence[Floats]]) -> Detections:
        loc, conf = outputs.values()
        return decode_maps(loc, conf, priors, options)

    return decode

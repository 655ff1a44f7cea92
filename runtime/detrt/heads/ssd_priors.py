"""The prior boxes of an SSD head, and boxes as offsets from them, in numpy: devices have no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.errors import DetrtError
from detrt.heads.nms import iou_matrix

Floats = NDArray[np.float32]
PLACE = "model.heads.ssd.priors"
MOST = 1_000_000
LEAST_RATIO = np.float32(1e-8)
"""Least size of a box over its prior's before the logarithm, as in ST's copy of the encoder."""

Level = tuple[int, float, float, float, tuple[float, ...]]


class Priors:
    """`centred` float32 [P, 4]: centre x, y, width, height as shares of the picture, clamped to 0 .. 1 in this form.

    Map by map, row by row; in a cell the square of side `min`, the square of side sqrt(min * max), then for each ratio r
    the wide and the high box of side `min` times and over sqrt(r) (qfgaohao/pytorch-ssd, generate_ssd_priors).
    """

    def __init__(self, image: float, levels: tuple[Level, ...]) -> None:
        self.grids = tuple(grid for grid, *_ in levels)
        self.each = tuple(2 + 2 * len(ratios) for *_, ratios in levels)
        if sum(grid * grid * each for grid, each in zip(self.grids, self.each, strict=True)) > MOST:
            raise DetrtError(f"more than {MOST} priors", PLACE)
        rows = np.concatenate([_level(image, level) for level in levels])
        self.centred: Floats = np.clip(rows.astype(np.float32), 0, 1)
        self.corners: Floats = corners(self.centred)
        self.centred.flags.writeable = self.corners.flags.writeable = False

    def __len__(self) -> int:
        return len(self.centred)


def read_priors(given: Any) -> Priors:
    """From `options["priors"]`: {"image": pixels, "levels": [{grid, step, min, max, ratios}, ..]}. Raises DetrtError."""
    try:
        image = float(given["image"])
        levels = tuple(_read(level) for level in given["levels"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DetrtError(f"these are no priors: {type(error).__name__} {error}", PLACE) from error
    numbers = [image, *(value for _, *sizes, ratios in levels for value in (*sizes, *ratios))]
    if not levels or not all(0 < value < 1e9 for value in numbers) or not all(0 < level[0] <= 1000 for level in levels):
        raise DetrtError("priors need an image size and levels of a grid of 1 .. 1000 cells and sizes above 0", PLACE)
    return _made(image, levels)


@lru_cache(maxsize=16)
def _made(image: float, levels: tuple[Level, ...]) -> Priors:
    return Priors(image, levels)


def _read(level: Mapping[str, Any]) -> Level:
    ratios: Sequence[Any] = level["ratios"]
    sizes = float(level["step"]), float(level["min"]), float(level["max"])
    return int(level["grid"]), *sizes, tuple(float(ratio) for ratio in ratios)


def _level(image: float, level: Level) -> NDArray[np.float64]:
    grid, step, least, most, ratios = level
    small, great = least / image, np.sqrt(least * most) / image
    shapes = [(small, small), (great, great)]
    for ratio in np.sqrt(ratios):
        shapes += [(small * ratio, small / ratio), (small / ratio, small * ratio)]
    middle = (np.arange(grid) + 0.5) / (image / step)
    y, x = np.meshgrid(middle, middle, indexing="ij")
    cells = np.stack([x, y], axis=-1).reshape(-1, 1, 2)
    return np.concatenate(np.broadcast_arrays(cells, np.array(shapes)), axis=-1).reshape(-1, 4)


def corners(centred: Floats) -> Floats:
    """x1 y1 x2 y2 of boxes [.., 4] given as centre x, y, width, height."""
    half = centred[..., 2:] / np.float32(2)
    return np.concatenate([centred[..., :2] - half, centred[..., :2] + half], axis=-1)


def match(boxes: Floats, priors: Priors) -> tuple[NDArray[np.intp], Floats]:
    """For each prior its box and their IoU, [P] each; `boxes` [n, 4] corners as shares of the picture, n at least 1.

    A prior takes the box that it overlaps most, the first of equals. Each box in turn then takes the prior that overlaps
    it most, at an IoU of 2, so that no threshold turns it away (pytorch-ssd, assign_priors).
    """
    overlap = iou_matrix(priors.corners, boxes)
    which, best = overlap.argmax(axis=1), overlap.max(axis=1)
    forced = overlap.argmax(axis=0)
    for box, prior in enumerate(forced):  # in order: of two boxes that want one prior the last has it
        which[prior] = box
    best[forced] = 2
    return which, best


def offsets(boxes: Floats, priors: Floats, variance: tuple[float, float]) -> Floats:
    """Corner boxes [n, 4] as offsets [n, 4] from priors [n, 4] in centre form (pytorch-ssd, box_utils)."""
    size = boxes[:, 2:] - boxes[:, :2]
    centre = (boxes[:, :2] + boxes[:, 2:]) / np.float32(2)
    moved = (centre - priors[:, :2]) / priors[:, 2:] / np.float32(variance[0])
    grown = np.log(np.maximum(size / priors[:, 2:], LEAST_RATIO)) / np.float32(variance[1])
    return np.concatenate([moved, grown], axis=1)


def boxes_at(given: Floats, priors: Floats, variance: tuple[float, float]) -> Floats:
    """The inverse of `offsets`: corner boxes [n, 4] as shares of the picture; infinite where an offset is too great."""
    with np.errstate(over="ignore", invalid="ignore"):
        centre = given[:, :2] * np.float32(variance[0]) * priors[:, 2:] + priors[:, :2]
        size = np.exp(given[:, 2:] * np.float32(variance[1])) * priors[:, 2:]
        return corners(np.concatenate([centre, size], axis=1))

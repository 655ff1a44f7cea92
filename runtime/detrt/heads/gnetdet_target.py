"""Boxes to the target map of a GNetDet head, and the map of outputs back to boxes. Both in numpy: devices have no
torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.errors import DetrtError
from detrt.heads.detections import Detections
from detrt.heads.gnetdet_options import PLACE, HeadOptions, read_head_options
from detrt.heads.nms import select

Floats = NDArray[np.float32]
HALF = np.float32(0.5)


def encode(boxes: Floats, labels: NDArray[np.int64], options: HeadOptions) -> Floats:
    """float32 [rows, columns, boxes * 5 + classes] from boxes [n, 4] x1 y1 x2 y2 as shares of the picture, labels
    [n] from 0.

    A box belongs to the cell whose centre is nearest by L1 distance in grid units, the first of equals. Every box
    slot of that cell holds (dx, dy, w, h, 1): d the centre from the cell's top left corner (0..1), w and h as
    shares of the picture. A later box replaces an earlier one; class bits add up (GNetDet MDK, datasetdet.py).
    Equal to the vendor's encoder bit for bit: every step is float32.
    """
    rows, columns = options.grid
    target = np.zeros((rows, columns, options.channels), np.float32)
    if not len(boxes):
        return target
    boxes = np.asarray(boxes, np.float32)
    size = boxes[:, 2:] - boxes[:, :2]
    centre = (boxes[:, 2:] + boxes[:, :2]) / np.float32(2) * np.array([columns, rows], np.float32)
    middle_x, middle_y = (np.arange(n, dtype=np.float32) + HALF for n in (columns, rows))
    distance = np.abs(centre[:, 0, None] - middle_x)[:, None, :] + np.abs(centre[:, 1, None] - middle_y)[:, :, None]
    row, column = np.divmod(distance.reshape(len(boxes), -1).argmin(axis=1), columns)
    delta = centre - np.stack([middle_x[column], middle_y[row]], axis=1) + HALF
    slot = np.concatenate([delta, size, np.ones((len(boxes), 1), np.float32)], axis=1)
    for i in range(len(boxes)):  # in order: the last box of a cell is the one that stays
        target[row[i], column[i], : options.boxes * 5] = np.tile(slot[i], options.boxes)
    target[row, column, options.boxes * 5 + np.asarray(labels)] = 1.0
    return target


def candidates(grid: Floats, options: HeadOptions) -> Detections:
    """All boxes of one output map float32 [channels, rows, columns] before suppression.

    Kept are boxes whose confidence exceeds `conf` or equals the map's largest, and whose score, confidence times
    best class, exceeds `score`.
    """
    rows, columns = options.grid
    maps = np.ascontiguousarray(np.asarray(grid, np.float32).transpose(1, 2, 0))
    slots = maps[..., : options.boxes * 5].reshape(rows, columns, options.boxes, 5)
    chance = maps[..., options.boxes * 5 :]
    confidence = slots[..., 4]
    best = chance.max(axis=2)
    scores = confidence * best[..., None]
    kept = ((confidence > options.conf) | (confidence == confidence.max())) & (scores > options.score)
    row, column, slot = np.nonzero(kept)
    values = slots[row, column, slot]
    cells = np.array([columns, rows], np.float32)
    centre = (values[:, :2] + np.stack([column, row], axis=1).astype(np.float32)) / cells
    half = HALF * values[:, 2:4]
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    labels = chance.argmax(axis=2)[row, column]
    return Detections(boxes.astype(np.float32), scores[row, column, slot].astype(np.float32), labels.astype(np.int64))


def decode_map(grid: Floats, options: HeadOptions) -> Detections:
    """The detections of one output map float32 [channels, rows, columns]. Raises DetrtError for a map of another shape.

    Equal to the vendor's decoder.py with conf = score = 0.1, nms = 0.5, and to its predict.py with score = -0.1.
    """
    expected = (options.channels, *options.grid)
    if grid.shape != expected:
        raise DetrtError(f"the head expects an output of {expected}, the model gives {grid.shape}", PLACE)
    found = candidates(grid, options)
    return select(
        found.boxes,
        found.scores,
        found.labels,
        nms=options.nms,
        agnostic=options.agnostic,
        soft=options.soft,
        max_detections=options.max_detections,
        score=options.score,
    )


def decoder(given: Mapping[str, Any]) -> Callable[[Floats | Mapping[str, Any]], Detections]:
    """`decode_map` with the options of a lock or an artifact. Raises DetrtError for options no head can have."""
    options = read_head_options(given)

    def decode(outputs: Floats | Mapping[str, Any]) -> Detections:
        return decode_map(outputs if isinstance(outputs, np.ndarray) else next(iter(outputs.values()))[0], options)

    return decode

"""Boxes to the target of a YOLOv1 head, and its flat output back to boxes. Both in numpy: devices have no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.errors import DetrtError
from detrt.heads.detections import Detections
from detrt.heads.nms import select
from detrt.heads.yolo_options import V1Options, read_v1

Floats = NDArray[np.float32]


def encode(boxes: Floats, labels: NDArray[np.int64], options: V1Options) -> Floats:
    """float32 [rows, columns, 5] from boxes [n, 4] x1 y1 x2 y2 as shares of the picture, labels [n] from 0: the label (-1:
    no object), x and y of the centre inside its cell (0 .. 1), width and height as shares of the picture.

    A cell has one object, the first whose centre lies in it (pjreddie/darknet, src/data.c fill_truth_region).
    """
    rows, columns = options.grid
    target = np.zeros((rows, columns, 5), np.float32)
    target[..., 0] = -1
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    place = (boxes[:, :2] + boxes[:, 2:]) / np.float32(2) * np.array([columns, rows], np.float32)
    cell = np.clip(place.astype(np.int64), 0, [columns - 1, rows - 1])
    _, first = np.unique(cell[:, 1] * columns + cell[:, 0], return_index=True)
    column, row = cell[first].T
    values = [np.asarray(labels)[first, None], place[first] - cell[first], boxes[first, 2:] - boxes[first, :2]]
    target[row, column] = np.concatenate(values, axis=1)
    return target


def decode_flat(flat: Floats, options: V1Options) -> Detections:
    """The detections of one output float32 [features]: every box with every class whose probability times the box's
    confidence exceeds `score`; centre (xy + cell) / grid, size the square of what is predicted. Raises DetrtError.

    The features are [cells, classes], then confidences [cells, boxes], then x y w h [cells, boxes, 4], nothing activated
    (pjreddie/darknet, src/detection_layer.c get_detection_detections).
    """
    if flat.shape != (options.features,):
        raise DetrtError(
            f"the head expects {options.features} features, the model gives {flat.shape}", "model.heads.yolo_v1"
        )
    rows, columns = options.grid
    cells = rows * columns
    chance, confidence, slots = np.split(flat, np.cumsum([cells * options.classes, cells * options.boxes]))
    chance = chance.reshape(cells, 1, options.classes)
    scores = confidence.reshape(cells, options.boxes, 1) * chance
    cell, box, label = np.nonzero(scores > np.float32(options.score))
    values = slots.reshape(cells, options.boxes, 4)[cell, box]
    grid = np.array([columns, rows], np.float32)
    centre = (values[:, :2] + np.stack([cell % columns, cell // columns], axis=1).astype(np.float32)) / grid
    half = np.square(values[:, 2:]) * np.float32(0.5)
    return select(
        np.concatenate([centre - half, centre + half], axis=1),
        scores[cell, box, label],
        label,
        nms=options.nms,
        agnostic=options.agnostic,
        soft=options.soft,
        max_detections=options.max_detections,
        score=options.score,
    )


def decoder(given: Mapping[str, Any]) -> Callable[[Floats | Mapping[str, Any]], Detections]:
    """`decode_flat` with the options of a lock or an artifact. Raises DetrtError for options no head can have."""
    options, _ = read_v1(given, {})

    def decode(outputs: Floats | Mapping[str, Any]) -> Detections:
        flat = outputs if isinstance(outputs, np.ndarray) else next(iter(outputs.values()))[0]
        return decode_flat(flat, options)

    return decode

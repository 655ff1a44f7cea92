"""The outputs of a YOLOX head back to boxes, in numpy: devices have no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.errors import DetrtError
from detrt.heads.cells import cells_of, check_maps, rows_of
from detrt.heads.detections import Detections
from detrt.heads.nms import select
from detrt.heads.yolox_options import PLACE, HeadOptions, read_head_options

Floats = NDArray[np.float32]
Sizes = list[tuple[int, int]]
HALF = np.float32(0.5)
READS = ("box", "obj", "cls")


def check_outputs(shapes: Sequence[Sequence[tuple[int, ...]]], options: HeadOptions) -> Sizes:
    """Heights and widths of the maps whose shapes [channels, rows, columns] are given for each of the three outputs.
    Raises DetrtError where they are not a YOLOX head's.
    """
    for name, each, channels in zip(READS, shapes, (4, 1, options.classes), strict=True):
        check_maps(each, name, channels, PLACE)
        if [shape[1:] for shape in each] != [shape[1:] for shape in shapes[0]]:
            raise DetrtError(f"the maps of `{name}` are not of the sizes of `box`", PLACE)
    return [(shape[1], shape[2]) for shape in shapes[0]]


def decode_maps(
    box: Sequence[Floats], obj: Sequence[Floats], cls: Sequence[Floats], options: HeadOptions
) -> Detections:
    """The detections of one picture: each cell's best class, if its probability times the object's exceeds `score`, at
    centre (xy + cell) * stride and size exp(wh) * stride (Megvii-BaseDetection/YOLOX@6ddff48, boxes.py postprocess).
    """
    cells = cells_of(
        check_outputs([[one.shape for one in each] for each in (box, obj, cls)], options),
        options.strides,
        options.image,
    )
    with np.errstate(all="ignore"):
        logits = rows_of(cls)
        label = logits.argmax(axis=1)
        scores = _sigmoid(rows_of(obj)[:, 0]) * _sigmoid(logits[np.arange(len(label)), label])
        kept = np.flatnonzero(scores > np.float32(options.score))
        raw, stride = rows_of(box)[kept], cells.stride[kept, None]
        centre = raw[:, :2] * stride + cells.corner[kept]
        half = np.exp(raw[:, 2:]) * stride * HALF
        canvas = np.array(cells.canvas, np.float32)
        boxes = np.concatenate([(centre - half) / canvas, (centre + half) / canvas], axis=1)
    return select(
        boxes,
        scores[kept],
        label[kept],
        nms=options.nms,
        agnostic=options.agnostic,
        soft=options.soft,
        max_detections=options.max_detections,
        score=options.score,
    )


def decoder(given: Mapping[str, Any]) -> Callable[[Mapping[str, Sequence[Floats]]], Detections]:
    """From the three outputs of one picture, in their order in `outputs` (box, object, classes), to its detections.
    Raises DetrtError for options no head can have.
    """
    options = read_head_options(given)

    def decode(outputs: Mapping[str, Sequence[Floats]]) -> Detections:
        box, obj, cls = outputs.values()
        return decode_maps(box, obj, cls, options)

    return decode


def _sigmoid(logits: Floats) -> Floats:
    return np.float32(1) / (np.float32(1) + np.exp(-logits))

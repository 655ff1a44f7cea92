"""Maps with anchors back to boxes, for the yolo_v2, yolo_v3 and yolo_sdnn heads. In numpy: devices have no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.errors import DetrtError
from detrt.heads.cells import cells_of
from detrt.heads.detections import Detections
from detrt.heads.nms import select
from detrt.heads.options import DetectorOptions
from detrt.heads.yolo_options import SdnnOptions, V2Options, V3Options, read_sdnn, read_v2, read_v3

Floats = NDArray[np.float32]
Outputs = Floats | Mapping[str, Sequence[Floats]]
CANDIDATES = 5000
"""Best boxes of a picture that compete; a trained net has far fewer."""


@dataclass(frozen=True, slots=True)
class Found:
    """Boxes of one map: corners [k, 4] as shares of the picture, confidence [k], raw class outputs [k, classes]."""

    boxes: Floats
    confidence: Floats
    classes: Floats


def found_in(map: Floats, anchors: Floats, classes: int, least: float, kind: str, clamp: float | None = None) -> Found:
    """The boxes of a map [A * (5 + classes), rows, columns] whose confidence exceeds `least`: centre (sigmoid + cell) / grid,
    size exp(at most `clamp`) * anchor; `anchors` [A, 2] as shares of the picture. Raises DetrtError for other channels.
    """
    channels = len(anchors) * (5 + classes)
    if map.ndim != 3 or map.shape[0] != channels:
        raise DetrtError(f"the head expects {channels} channels, the model gives {map.shape}", f"model.heads.{kind}")
    rows, columns = map.shape[1:]
    cells = map.reshape(len(anchors), 5 + classes, rows, columns)
    with np.errstate(over="ignore"):
        confidence = sigmoid(cells[:, 4])
        anchor, row, column = np.nonzero(confidence > np.float32(least))
        raw = cells[anchor, :, row, column]
        place = sigmoid(raw[:, :2]) + np.stack([column, row], axis=1).astype(np.float32)
        centre = place / np.array([columns, rows], np.float32)
        exponent = raw[:, 2:4] if clamp is None else np.minimum(raw[:, 2:4], np.float32(clamp))
        half = np.exp(exponent) * anchors[anchor] * np.float32(0.5)
    return Found(np.concatenate([centre - half, centre + half], axis=1), confidence[anchor, row, column], raw[:, 5:])


def every_class(found: Iterable[tuple[Found, Floats]], options: DetectorOptions) -> Detections:
    """Every box with every class, with its probability given, whose score exceeds `score`, after suppression, as
    pjreddie/darknet's get_network_boxes and do_nms_sort count them.
    """
    boxes, scores, labels = [], [], []
    for one, chance in found:
        score = one.confidence[:, None] * chance
        box, label = np.nonzero(score > np.float32(options.score))
        boxes.append(one.boxes[box])
        scores.append(score[box, label])
        labels.append(label)
    return _selected(boxes, scores, labels, options)


def best_class(found: Iterable[tuple[Found, Floats]], options: DetectorOptions) -> Detections:
    """Every box with its likeliest class, as lava-dl's non_maximum_suppression with merge_conf counts them."""
    boxes, scores, labels = [], [], []
    for one, chance in found:
        boxes.append(one.boxes)
        scores.append(one.confidence * chance.max(axis=1))
        labels.append(chance.argmax(axis=1))
    return _selected(boxes, scores, labels, options)


def _selected(
    boxes: list[Floats], scores: list[Floats], labels: list[NDArray[np.int64]], options: DetectorOptions
) -> Detections:
    return select(
        np.concatenate(boxes),
        np.concatenate(scores),
        np.concatenate(labels),
        nms=options.nms,
        agnostic=options.agnostic,
        soft=options.soft,
        max_detections=options.max_detections,
        score=options.score,
        candidates=CANDIDATES,
    )


def decode_v2(maps: Sequence[Floats], options: V2Options) -> Detections:
    """The detections of one picture (pjreddie/darknet, src/region_layer.c get_region_detections)."""
    pairs = paired(maps, options.anchors, "yolo_v2")
    found = [
        found_in(map, v2_anchors(anchors, options.unit, map.shape[1:]), options.classes, options.score, "yolo_v2")
        for map, anchors in pairs
    ]
    return every_class(((one, softmax(one.classes)) for one in found), options)


def decode_v3(maps: Sequence[Floats], options: V3Options) -> Detections:
    """The detections of one picture (pjreddie/darknet, src/yolo_layer.c get_yolo_detections)."""
    anchors = v3_anchors([map.shape[1:] for map in maps], options)
    found = [
        found_in(map, anchors[list(mask)], options.classes, options.score, "yolo_v3")
        for map, mask in paired(maps, options.masks, "yolo_v3")
    ]
    return every_class(((one, sigmoid(one.classes)) for one in found), options)


def decode_sdnn(maps: Sequence[Floats], options: SdnnOptions) -> Detections:
    """The detections of one picture; of a clip [.., rows, columns, steps] those of its last step, when the neurons have
    settled (lava-nc/lava-dl@d825ac5, object_detection/yolo_base.py).
    """
    last = [map[..., -1] if map.ndim == 4 else map for map in maps]
    found = [
        found_in(
            map,
            v2_anchors(anchors, "cells", map.shape[1:]),
            options.classes,
            max(options.conf, options.score),
            "yolo_sdnn",
            options.clamp,
        )
        for map, anchors in paired(last, options.anchors, "yolo_sdnn")
    ]
    return best_class(((one, softmax(one.classes)) for one in found), options)


def v2_anchors(pairs: Any, unit: str, grid: Sequence[int]) -> Floats:
    """Anchors [A, 2] as shares of the picture; those in cells by the grid (rows, columns) of their map."""
    anchors = np.array(pairs, np.float32)
    return anchors if unit == "image" else np.asarray(anchors / np.array([grid[1], grid[0]], np.float32), np.float32)


def v3_anchors(grids: Sequence[Sequence[int]], options: V3Options) -> Floats:
    """All anchors [A, 2] as shares of the picture that maps of these rows and columns come from (see cells.cells_of)."""
    sizes = [(int(grid[0]), int(grid[1])) for grid in grids]
    canvas = cells_of(sizes, options.strides, options.image).canvas
    return np.asarray(np.array(options.anchors, np.float32) / np.array(canvas, np.float32), np.float32)


def paired(maps: Sequence[Any], each: Sequence[Any], kind: str) -> list[tuple[Any, Any]]:
    """Each map with its anchors or mask. Raises DetrtError where the counts differ."""
    if len(maps) != len(each):
        raise DetrtError(f"the head expects {len(each)} maps, the model gives {len(maps)}", f"model.heads.{kind}")
    return list(zip(maps, each, strict=True))


def sigmoid(logits: Floats) -> Floats:
    return np.float32(1) / (np.float32(1) + np.exp(-logits))


def softmax(logits: Floats) -> Floats:
    """Over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True)) if logits.size else logits
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def decoder_v2(given: Mapping[str, Any]) -> Callable[[Outputs], Detections]:
    """`decode_v2` with the options of a lock or an artifact. Raises DetrtError for options no head can have."""
    options, _ = read_v2(given, {})
    return lambda outputs: decode_v2(maps_in(outputs), options)


def decoder_v3(given: Mapping[str, Any]) -> Callable[[Outputs], Detections]:
    """`decode_v3` with the options of a lock or an artifact. Raises DetrtError for options no head can have."""
    options, _ = read_v3(given, {})
    return lambda outputs: decode_v3(maps_in(outputs), options)


def decoder_sdnn(given: Mapping[str, Any]) -> Callable[[Outputs], Detections]:
    """`decode_sdnn` with the options of a lock or an artifact. Raises DetrtError for options no head can have."""
    options, _ = read_sdnn(given, {})
    return lambda outputs: decode_sdnn(maps_in(outputs), options)


def maps_in(outputs: Outputs) -> Sequence[Floats]:
    """The maps of the one output that the head reads."""
    return [outputs] if isinstance(outputs, np.ndarray) else list(next(iter(outputs.values())))

"""Heads whose maps hold x, y, w, h, confidence and classes for every anchor of a cell: yolo_v2, yolo_v3 and yolo_sdnn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from detrt.devices.stm32.postprocess import tables
from detrt.devices.stm32.postprocess.building import Outputs, detector, paired, score_of, sides, steps, units
from detrt.devices.stm32.postprocess.form import Field, Form, Map
from detrt.devices.stm32.postprocess.tables import ONE_BOX, ONE_SCORE
from detrt.devices.stm32.program import Tensor
from detrt.heads.cells import cells_of
from detrt.heads.yolo_options import read_sdnn, read_v2, read_v3

Sizes = Sequence[tuple[Fraction, Fraction]]
"""Width and height of each anchor."""


def yolo_v2(given: Mapping[str, Any], outputs: Outputs) -> Form:
    options, _ = read_v2(given, {})
    paired(outputs[0], options.anchors, "yolo_v2")
    maps = []
    for number, (tensor, pairs) in enumerate(zip(outputs[0], options.anchors, strict=True)):
        anchors = _exact(pairs) if options.unit == "image" else _in_cells(pairs, tensor)
        maps.append(_map("yolo_v2", number, tensor, anchors, options.classes, options.score))
    return detector("yolo_v2", options, maps, softmax=True, boxes_first=True)


def yolo_v3(given: Mapping[str, Any], outputs: Outputs) -> Form:
    options, _ = read_v3(given, {})
    paired(outputs[0], options.masks, "yolo_v3")
    each = 5 + options.classes
    grids = [sides(t, len(mask) * each, "yolo_v3") for t, mask in zip(outputs[0], options.masks, strict=True)]
    width, height = cells_of(grids, options.strides, options.image).canvas
    shapes = [(w / width, h / height) for w, h in _exact(options.anchors)]
    maps = []
    for number, (tensor, mask) in enumerate(zip(outputs[0], options.masks, strict=True)):
        anchors = [shapes[anchor] for anchor in mask]
        maps.append(_map("yolo_v3", number, tensor, anchors, options.classes, options.score, softmax=False))
    return detector("yolo_v3", options, maps, boxes_first=True)


def yolo_sdnn(given: Mapping[str, Any], outputs: Outputs) -> Form:
    options, _ = read_sdnn(given, {})
    paired(outputs[0], options.anchors, "yolo_sdnn")
    least = max(options.conf, options.score)
    maps = [
        _map("yolo_sdnn", number, tensor, _in_cells(pairs, tensor), options.classes, least, most=options.clamp)
        for number, (tensor, pairs) in enumerate(zip(outputs[0], options.anchors, strict=True))
    ]
    return detector("yolo_sdnn", options, maps, softmax=True, best=True, boxes_first=True)


def _exact(pairs: Sequence[tuple[float, float]]) -> Sizes:
    return [(Fraction(width), Fraction(height)) for width, height in pairs]


def _in_cells(pairs: Sequence[tuple[float, float]], tensor: Tensor) -> Sizes:
    """Anchors in cells of a map as shares of the canvas."""
    rows, columns = tensor.shape[:2] if len(tensor.shape) == 3 else (1, 1)
    return [(width / columns, height / rows) for width, height in _exact(pairs)]


def _map(
    kind: str,
    number: int,
    tensor: Tensor,
    anchors: Sizes,
    classes: int,
    least: float,
    softmax: bool = True,
    most: float | None = None,
) -> Map:
    """Anchors are shares of the canvas; a box needs a confidence above `least`; exponents of sizes end at `most`."""
    each = 5 + classes
    cell = len(anchors) * each
    rows, columns = sides(tensor, cell, kind)
    across, down = Fraction(1, columns), Fraction(1, rows)
    sure = tables.sigmoids(tensor.quant, ONE_SCORE)
    return Map(
        rows=rows,
        columns=columns,
        boxes=len(anchors),
        place=Field(number, 0, cell, each),
        confidence=Field(number, 4, cell, each),
        classes=Field(number, 5, cell, each),
        x=steps(columns, across),
        y=steps(rows, down),
        units=units([(across, down, width / 2, height / 2) for width, height in anchors]),
        offset=tables.sigmoids(tensor.quant, ONE_BOX),
        size=tables.sizes(tensor.quant, most=most),
        sure=sure,
        chance=tables.powers(tensor.quant.scale) if softmax else sure,
        least=tables.least_above(sure, score_of(least)),
    )

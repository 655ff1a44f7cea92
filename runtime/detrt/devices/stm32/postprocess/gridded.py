"""Heads of one grid that predict places, sizes, confidences and classes as they are: gnetdet, and yolo_v1 from a flat output."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from detrt.devices.stm32.arithmetic import Int32
from detrt.devices.stm32.postprocess import tables
from detrt.devices.stm32.postprocess.building import Outputs, detector, score_of, sides, steps, units
from detrt.devices.stm32.postprocess.form import Field, Form, Map
from detrt.devices.stm32.program import Tensor
from detrt.errors import DetrtError
from detrt.heads import gnetdet_options
from detrt.heads.yolo_options import read_v1


def gnetdet(given: Mapping[str, Any], outputs: Outputs) -> Form:
    """Reads one map: the boxes of a cell, then its classes. Boxes of the map's largest confidence always compete."""
    options = gnetdet_options.read_head_options(given)
    (tensor,) = outputs[0]
    each = options.channels
    if sides(tensor, each, "gnetdet") != tuple(options.grid):
        raise DetrtError(
            f"the head expects a grid {options.grid}, the model gives {tensor.shape}", gnetdet_options.PLACE
        )
    fields = Field(0, 0, each, 5), Field(0, 4, each, 5), Field(0, 5 * options.boxes, each, 0)
    least = tables.least_above(tables.plain_scores(tensor.quant), score_of(options.conf))
    one = _map(tensor, options.grid, options.boxes, fields, tables.lines(tensor.quant), least)
    return detector("gnetdet", options, [one], best=True, loudest=True)


def yolo_v1(given: Mapping[str, Any], outputs: Outputs) -> Form:
    """Reads one vector: the classes of every cell, then the confidences of every box, then the boxes, by their roots."""
    options, _ = read_v1(given, {})
    (tensor,) = outputs[0]
    if math.prod(tensor.shape) != options.features:
        raise DetrtError(
            f"the head expects {options.features} features, the model gives {tensor.shape}", "model.heads.yolo_v1"
        )
    cells, boxes, classes = math.prod(options.grid), options.boxes, options.classes
    fields = (
        Field(0, cells * (classes + boxes), 4 * boxes, 4),
        Field(0, cells * classes, boxes, 1),
        Field(0, 0, classes, 0),
    )
    one = _map(tensor, options.grid, boxes, fields, tables.squares(tensor.quant), -128)
    return detector("yolo_v1", options, [one])


def _map(
    tensor: Tensor,
    grid: tuple[int, int],
    boxes: int,
    fields: tuple[Field, Field, Field],
    size: Int32,
    least: int,
) -> Map:
    """`fields`: of the boxes, of their confidences, of their classes."""
    rows, columns = grid
    across, down, half = Fraction(1, columns), Fraction(1, rows), Fraction(1, 2)
    plain = tables.plain_scores(tensor.quant)
    return Map(
        rows=rows,
        columns=columns,
        boxes=boxes,
        place=fields[0],
        confidence=fields[1],
        classes=fields[2],
        x=steps(columns, across),
        y=steps(rows, down),
        units=units([(across, down, half, half)] * boxes),
        offset=tables.lines(tensor.quant),
        size=size,
        sure=plain,
        chance=plain,
        least=least,
    )

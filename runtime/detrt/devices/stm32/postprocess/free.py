"""Heads without anchors: every cell of every map has one box, in yolox by its centre, in nanodet by its four sides."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from detrt.devices.stm32.postprocess import tables
from detrt.devices.stm32.postprocess.building import Outputs, detector, paired, score_of, sides, steps, units
from detrt.devices.stm32.postprocess.form import Field, Form, Map
from detrt.devices.stm32.postprocess.tables import ONE_BOX, ONE_SCORE
from detrt.errors import DetrtError
from detrt.heads import nanodet_options, yolox_options
from detrt.heads.cells import cells_of


def yolox(given: Mapping[str, Any], outputs: Outputs) -> Form:
    """Reads boxes, objects and classes, a map a stride each."""
    options = yolox_options.read_head_options(given)
    shapes = [
        [sides(tensor, channels, "yolox") for tensor in each]
        for each, channels in zip(outputs, (4, 1, options.classes), strict=True)
    ]
    grids = shapes[0]
    if shapes != [grids] * 3:
        raise DetrtError("the maps of the three outputs are not of the same sizes", yolox_options.PLACE)
    width, height = cells_of(grids, options.strides, options.image).canvas
    maps = []
    for number, ((rows, columns), stride) in enumerate(zip(grids, options.strides, strict=True)):
        box, object, classes = (each[number] for each in outputs)
        across, down = Fraction(stride, width), Fraction(stride, height)
        sure = tables.sigmoids(object.quant, ONE_SCORE)
        maps.append(
            Map(
                rows=rows,
                columns=columns,
                boxes=1,
                place=Field(number, 0, 4, 0),
                confidence=Field(len(grids) + number, 0, 1, 0),
                classes=Field(2 * len(grids) + number, 0, options.classes, 0),
                x=steps(columns, across),
                y=steps(rows, down),
                units=units([(across, down, across / 2, down / 2)]),
                offset=tables.lines(box.quant),
                size=tables.sizes(box.quant),
                sure=sure,
                chance=tables.sigmoids(classes.quant, ONE_SCORE),
                least=tables.least_above(sure, score_of(options.score)),
            )
        )
    return detector("yolox", options, maps, best=True)


def nanodet(given: Mapping[str, Any], outputs: Outputs) -> Form:
    """Reads one output: the classes, then the bins of the left, top, right and bottom side."""
    options = nanodet_options.read_head_options(given)
    grids = [sides(tensor, options.channels, "nanodet") for tensor in outputs[0]]
    width, height = cells_of(grids, options.strides, options.image).canvas
    paired(outputs[0], options.strides, "nanodet")
    maps = []
    for number, ((rows, columns), stride) in enumerate(zip(grids, options.strides, strict=True)):
        quant = outputs[0][number].quant
        across, down = Fraction(stride, width), Fraction(stride, height)
        weights = tables.powers(quant.scale, ONE_BOX)
        maps.append(
            Map(
                rows=rows,
                columns=columns,
                boxes=1,
                place=Field(number, options.classes, options.channels, 0),
                confidence=None,
                classes=Field(number, 0, options.channels, 0),
                x=steps(columns, across),
                y=steps(rows, down),
                units=units([(across, down, across, down)]),
                offset=weights,
                size=weights,
                sure=None,
                chance=tables.sigmoids(quant, ONE_SCORE),
            )
        )
    return detector("nanodet", options, maps, bins=options.reg_max + 1)

"""The ssd head: prior boxes of several levels, moved and stretched; shares of a softmax that has the background."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from detrt.devices.stm32.postprocess import tables
from detrt.devices.stm32.postprocess.building import Outputs, detector, paired, positions, sides, units
from detrt.devices.stm32.postprocess.form import Field, Form, Map
from detrt.errors import DetrtError
from detrt.heads.ssd_options import PLACE, read_head_options
from detrt.heads.ssd_priors import read_priors


def ssd(given: Mapping[str, Any], outputs: Outputs) -> Form:
    """Reads offsets and classes, a map a level each. The centres of a level's priors are those of its rows and columns, their
    sizes those of its cells: three short lists instead of every prior.
    """
    options = read_head_options(given)
    priors = read_priors(options.priors)
    loc, conf = outputs
    paired(loc, priors.grids, "ssd")
    paired(conf, priors.grids, "ssd")
    maps, first = [], 0
    for number, (grid, boxes) in enumerate(zip(priors.grids, priors.each, strict=True)):
        each = options.classes + 1
        for tensor, channels in ((loc[number], 4), (conf[number], each)):
            if sides(tensor, boxes * channels, "ssd") != (grid, grid):
                raise DetrtError(f"the head expects maps of {grid} x {grid}, the model gives {tensor.shape}", PLACE)
        end = first + grid * grid * boxes
        level = priors.centred[first:end].reshape(grid, grid, boxes, 4)
        shapes = [(Fraction(float(width)), Fraction(float(height))) for width, height in level[0, 0, :, 2:]]
        maps.append(
            Map(
                rows=grid,
                columns=grid,
                boxes=boxes,
                place=Field(number, 0, boxes * 4, 4),
                confidence=None,
                classes=Field(len(loc) + number, 0, boxes * each, each),
                x=positions([Fraction(float(x)) for x in level[0, :, 0, 0]]),
                y=positions([Fraction(float(y)) for y in level[:, 0, 0, 1]]),
                units=units([(width, height, width / 2, height / 2) for width, height in shapes]),
                offset=tables.lines(loc[number].quant, options.variance[0]),
                size=tables.sizes(loc[number].quant, options.variance[1]),
                sure=None,
                chance=tables.powers(conf[number].quant.scale),
            )
        )
        first = end
    return detector("ssd", options, maps, softmax=True, background=True)

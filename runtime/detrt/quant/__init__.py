"""Quantising for any device: the ranges of tensors from batches that pass by, and weights prepared for coarse numbers.

Nothing here knows a device's arithmetic; `detrt.devices.NAME` does.
"""

from __future__ import annotations

from detrt.quant.biases import corrections
from detrt.quant.equalising import Layer, Pair, equalise
from detrt.quant.histogram import Histogram
from detrt.quant.observing import Observed
from detrt.quant.ranges import Range, range_of

__all__ = ["Histogram", "Layer", "Observed", "Pair", "Range", "corrections", "equalise", "range_of"]

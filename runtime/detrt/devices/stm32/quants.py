"""Quants of tensors from the ranges that a calibration measured."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from detrt.devices.stm32.arithmetic import HIGH, LOW, Quant
from detrt.devices.stm32.plan import Plan
from detrt.errors import DetrtError

Range = tuple[float, float]
"""The lowest and the highest real number of a tensor."""

REMEDY = "run the calibration stage again, on pictures like those of the training"
NARROWEST, WIDEST = 1e-30, 1e30
"""Between them a range's scale is a float32 number with all its bits."""


def quant_of(range_: Range) -> Quant:
    """The int8 numbers of a range, widened to hold 0.0, which one of them stands for exactly. `scale` is a float32 number.

    A range without a width (a layer that only ever gave 0.0) is taken for 0 .. 255. ValueError says what is wrong with one that
    holds no numbers: NaN, infinity, ends in the wrong order, or wider than 1e30.
    """
    low, high = (float(end) for end in range_)
    if math.isnan(low) or math.isnan(high):
        raise ValueError("has an end that is no number (NaN)")
    if low > high:
        raise ValueError(f"begins at {low:g}, above its end {high:g}")
    low, high = min(low, 0.0), max(high, 0.0)
    if not high - low < WIDEST:
        raise ValueError(f"reaches from {low:g} to {high:g}; what it is measured on has run away")
    if high - low < NARROWEST:
        low, high = 0.0, float(HIGH - LOW)
    scale = float(np.float32((high - low) / (HIGH - LOW)))
    zero = math.floor(LOW - low / scale + 0.5)
    return Quant(scale, min(HIGH, max(LOW, zero)))


def tensor_quants(plan: Plan, ranges: Mapping[str, Range], entry: Quant) -> dict[str, Quant]:
    """The Quant of every tensor of the plan, and of what comes before a table, by name; `entry` is the input's.

    DetrtError, with all tensors that have no usable range.
    """
    if not ranges:
        raise DetrtError("there are no ranges of activations: nothing was calibrated", remedy=REMEDY)
    own: dict[str, Quant] = {plan.tensors[plan.input].quant: entry}
    problems = []
    for name, where in plan.quants():
        at = f"`{name}`" + (f" ({where})" if where else "")
        if name not in ranges:
            problems.append(f"no range was measured of {at}")
            continue
        try:
            own[name] = quant_of(ranges[name])
        except ValueError as error:
            problems.append(f"the range of {at} {error}")
    if problems:
        raise DetrtError("; ".join(problems), remedy=REMEDY)
    return {**own, **{name: own[tensor.quant] for name, tensor in plan.tensors.items()}}


def ranges_of(caps: Mapping[str, float]) -> dict[str, Range]:
    """Ranges from what a checkpoint keeps: "<tensor>.low" and "<tensor>.high". DetrtError where one end is missing."""
    ends: dict[str, dict[str, float]] = {}
    for key, value in caps.items():
        name, _, end = key.rpartition(".")
        if not name or end not in ("low", "high"):
            raise DetrtError(f"`{key}` is no end of a range", remedy=REMEDY)
        ends.setdefault(name, {})[end] = float(value)
    if one := next((name for name, given in ends.items() if len(given) < 2), None):
        raise DetrtError(f"the range of `{one}` has one end only", remedy=REMEDY)
    return {name: (given["low"], given["high"]) for name, given in ends.items()}


def caps_of(ranges: Mapping[str, Range]) -> dict[str, float]:
    """The inverse of `ranges_of`."""
    return {
        f"{name}.{end}": value
        for name, given in ranges.items()
        for end, value in zip(("low", "high"), given, strict=True)
    }

"""The change that helps most: the same net on a smaller picture, or by another rule of the tool, estimated anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil

from detc.targets.stm32.st_ops import StModel, StTensor

STEP = 32
"""Sides of pictures are tried in multiples of this, which all strides of the common detectors divide."""
EXACT = 1e-6
"""What lies so little above a whole number of pixels is that number."""
FEWEST = 2
"""A picture of fewer steps than this helps nobody."""


@dataclass(frozen=True, slots=True)
class Smaller:
    """A picture whose net needs `bytes`; `side` is its longer side in pixels."""

    side: int
    bytes: int


def smaller_picture(model: StModel, room: int, needed: Callable[[StModel], int]) -> Smaller | None:
    """The largest smaller picture with which the net needs at most `room` bytes, by `needed`; None where none helps."""
    maps = [model.tensors[name] for name in model.inputs if len(model.tensors[name].shape) > 2]
    if not maps:
        return None
    side = max(max(tensor.height, tensor.width) for tensor in maps)
    low, high, best = FEWEST, (side - 1) // STEP, None
    while low <= high:
        middle = (low + high) // 2
        bytes = needed(scaled(model, middle * STEP / side))
        if bytes <= room:
            best, low = Smaller(middle * STEP, bytes), middle + 1
        else:
            high = middle - 1
    return best


def scaled(model: StModel, factor: float) -> StModel:
    """The net on a picture whose sides are `factor` times as long; maps of one pixel stay."""
    tensors = {name: tensor if tensor.constant else _scaled(tensor, factor) for name, tensor in model.tensors.items()}
    return replace(model, tensors=tensors)


def _scaled(tensor: StTensor, factor: float) -> StTensor:
    if len(tensor.shape) != 3:
        return tensor
    height, width, channels = tensor.shape
    return replace(tensor, shape=(_side(height, factor), _side(width, factor), channels))


def _side(side: int, factor: float) -> int:
    """A side of a map on such a picture; one pixel stays one."""
    return max(1, ceil(side * factor - EXACT)) if side > 1 else side

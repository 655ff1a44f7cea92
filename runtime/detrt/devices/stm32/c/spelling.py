"""Parameters of kernels as the members of C initialisers, and windows in words."""

from __future__ import annotations

from collections.abc import Iterable

from detrt.devices.stm32.arithmetic import Rescale
from detrt.devices.stm32.program import Pair, Sides, Tensor


def braces(values: Iterable[object]) -> str:
    """{1, 2, 3}"""
    return "{" + ", ".join(map(str, values)) + "}"


def members(**values: object) -> str:
    """.name = value, .name = value,"""
    return " ".join(f".{name} = {value}," for name, value in values.items())


def map_shape(tensor: Tensor) -> tuple[int, int, int]:
    """Height, width, channels; a vector is one pixel."""
    height, width, channels = (1, 1, *tensor.shape)[-3:]
    return height, width, channels


def shape(tensor: Tensor) -> str:
    """A detc_shape."""
    return braces(map_shape(tensor))


def one_rescale(rescale: Rescale) -> str:
    """A detc_rescale."""
    return braces(int(part[0]) for part in (rescale.multiplier, rescale.left, rescale.right))


def window(name: str, k: Pair, stride: Pair, pad: Sides, dilation: Pair = (1, 1), groups: int = 1) -> str:
    """conv 3x3, stride 2, pad 0 0 1 1"""
    words = [f"{name} {k[0]}x{k[1]}"]
    if stride != (1, 1):
        words.append(f"stride {_once(stride)}")
    if any(pad):
        words.append(f"pad {_once(pad)}")
    if dilation != (1, 1):
        words.append(f"dilation {_once(dilation)}")
    if groups > 1:
        words.append(f"{groups} groups")
    return ", ".join(words)


def _once(values: tuple[int, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else " ".join(map(str, values))

"""The network as the chip holds it: major layers of up to twelve integer convolutions each.

A `MajorShape` is one entry of the vendor's dat.json without its shifts; a `Major` adds the integers. Channel widths follow
the vendor's rule: the first sublayer takes `input_channels` to `output_channels` and the rest keep that width; a leading
depthwise sublayer keeps `input_channels`, and the pointwise behind it widens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Kind = Literal["conv3x3", "pointwise", "depthwise"]
TILE = 14
"""Maps are stored in tiles of 14 x 14."""


def ceil4(channels: int) -> int:
    """Channels rounded up to the four engines of the chip."""
    return -(-channels // 4) * 4


@dataclass(frozen=True, slots=True)
class MajorShape:
    """What a major layer does, without its numbers.

    `shortcuts` are the sublayers (from 1) whose input is added to the next one's result.
    """

    image_size: int
    input_channels: int
    output_channels: int
    bits: int
    kinds: tuple[Kind, ...]
    pooling: bool = False
    shortcuts: tuple[int, ...] = ()
    ten_bits: bool = False
    learning: bool = False
    last_layer_out: bool = False

    @property
    def depth_enable(self) -> bool:
        """1x1 and depthwise kernels share a mode of their own; 3x3 convolutions cannot stand among them."""
        return any(kind != "conv3x3" for kind in self.kinds)

    @property
    def widths(self) -> tuple[tuple[int, int], ...]:
        """(input, output) channels of each sublayer."""
        pairs, width = [], self.input_channels
        for kind in self.kinds:
            out = width if kind == "depthwise" else self.output_channels
            pairs.append((width, out))
            width = out
        return tuple(pairs)

    @property
    def output_size(self) -> int:
        return self.image_size // 2 if self.pooling else self.image_size

    def weight_shapes(self) -> Iterator[tuple[int, int, int, int]]:
        """OIHW of each sublayer's weights; a depthwise one has I = 1."""
        for kind, (inputs, outputs) in zip(self.kinds, self.widths, strict=True):
            side = 1 if kind == "pointwise" else 3
            yield outputs, 1 if kind == "depthwise" else inputs, side, side


@dataclass(frozen=True, slots=True, eq=False)
class Sublayer:
    """Integers of one convolution at binary point `shift` (value = integer / 2^shift): `weight` OIHW, `bias` [O]."""

    weight: npt.NDArray[np.int16]
    bias: npt.NDArray[np.int32]
    shift: int


@dataclass(frozen=True, slots=True, eq=False)
class Major:
    """A major layer: its shape and one Sublayer for each of `shape.kinds`."""

    shape: MajorShape
    sublayers: tuple[Sublayer, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ChipNetwork:
    """Everything chip.dat holds. `sampling`: pooling takes the top left of each 2x2 on the whole chip instead of the maximum."""

    majors: tuple[Major, ...]
    sampling: bool = False

    @property
    def shapes(self) -> tuple[MajorShape, ...]:
        return tuple(major.shape for major in self.majors)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """CHW of the picture, u8."""
        first = self.majors[0].shape
        return first.input_channels, first.image_size, first.image_size

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """CHW of the result. The chip gives out whole groups of four planes, filled up with zeros."""
        last = self.majors[-1].shape
        return ceil4(last.output_channels), last.output_size, last.output_size

    def sublayers(self) -> Iterator[tuple[Major, int, Sublayer]]:
        """(major, index in it from 0, sublayer) in execution order."""
        for major in self.majors:
            for index, sublayer in enumerate(major.sublayers):
                yield major, index, sublayer


def same_network(one: ChipNetwork, other: ChipNetwork) -> bool:
    """True if both hold the same integers in the same shapes."""
    if one.sampling != other.sampling or one.shapes != other.shapes:
        return False
    return all(
        a.shift == b.shift and np.array_equal(a.weight, b.weight) and np.array_equal(a.bias, b.bias)
        for (_, _, a), (_, _, b) in zip(one.sublayers(), other.sublayers(), strict=True)
    )

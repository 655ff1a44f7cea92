"""A sigma-delta network as a Loihi 2 chip holds it: whole numbers, one layer after the other.

Scales of lava-dl 0.6.0 (slayer/utils/quantize and neuron/sigma_delta): weights, biases and thresholds are stored times 64
(`WEIGHT_SCALE`), messages carry values times 4096 (`MESSAGE_SCALE`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Shape = tuple[int, ...]
"""[C, H, W] of a map, or [n] of a vector."""
Pair = tuple[int, int]
"""(y, x)."""

WEIGHT_SCALE = 64
MESSAGE_SCALE = 4096


@dataclass(frozen=True, slots=True)
class Input:
    """The delta encoder. `vth` is its threshold times 64; `weight` and `bias`, where given, are what the host does to a value
    before (times 64 too)."""

    shape: Shape
    vth: int
    weight: int | None = None
    bias: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Conv:
    """A convolution (cross-correlation, zero padding) and its sigma-delta neurons.

    `weight` int64 [O, I / groups, kh, kw], even and in [-256, 254]; `bias` int64 [O] times 64, or None; `vth` the threshold
    times 64, ignored where `sigma`: the layer is read out, its neurons only add up. Messages leave `delay` steps late,
    as in training; netx holds back what arrives instead, the same but for neurons with a bias, and no delay of a convolution.
    """

    weight: Ints
    bias: Ints | None
    stride: Pair
    pad: Pair
    dilation: Pair
    groups: int
    vth: int
    sigma: bool = False
    delay: int = 0

    def out_shape(self, shape: Shape) -> Shape:
        """[O, h, w] from [I, H, W]; sides below 1 where the kernel does not fit."""
        kernel = self.weight.shape[2:]
        sides = (
            (side + 2 * pad - step * (k - 1) - 1) // stride + 1
            for side, pad, step, k, stride in zip(shape[1:], self.pad, self.dilation, kernel, self.stride, strict=True)
        )
        return (len(self.weight), *sides)


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """A matrix `weight` int64 [out, in] and its sigma-delta neurons; the rest as in `Conv`."""

    weight: Ints
    bias: Ints | None
    vth: int
    sigma: bool = False
    delay: int = 0

    def out_shape(self, shape: Shape) -> Shape:
        return (len(self.weight),)


@dataclass(frozen=True, slots=True)
class Flatten:
    """A map as a vector, in the order C, H, W. Costs no step."""

    def out_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


Layer = Input | Conv | Dense | Flatten
Weighted = Conv | Dense


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Layers in the order of execution, the first an `Input`, no other one."""

    layers: tuple[Layer, ...]

    @property
    def input(self) -> Input:
        first = self.layers[0]
        if not isinstance(first, Input):
            raise ValueError("a network begins with its input")
        return first

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shape behind each layer."""
        found = [self.input.shape]
        for layer in self.layers[1:]:
            if isinstance(layer, Input):
                raise ValueError("a network has one input, its first layer")
            found.append(layer.out_shape(found[-1]))
        return tuple(found)

    @property
    def output_shape(self) -> Shape:
        return self.shapes[-1]

    @property
    def latency(self) -> int:
        """Steps from a frame to the first output that depends on it: one a layer with weights, and their delays."""
        return sum(1 + layer.delay for layer in self.weighted())

    def weighted(self) -> Iterator[Weighted]:
        """The layers with weights, in order."""
        return (layer for layer in self.layers if isinstance(layer, Conv | Dense))


def same_network(one: Network, other: Network) -> bool:
    """True if both hold the same integers in the same layers."""
    return len(one.layers) == len(other.layers) and all(
        _same(a, b) for a, b in zip(one.layers, other.layers, strict=True)
    )


def _same(one: Layer, other: Layer) -> bool:
    if not isinstance(one, Conv | Dense) or not isinstance(other, Conv | Dense):
        return one == other
    return (
        _moves(one) == _moves(other)
        and (one.sigma, one.delay) == (other.sigma, other.delay)
        and (one.sigma or one.vth == other.vth)
        and np.array_equal(one.weight, other.weight)
        and (one.bias is None) == (other.bias is None)
        and (one.bias is None or other.bias is None or np.array_equal(one.bias, other.bias))
    )


def _moves(layer: Weighted) -> tuple[object, ...]:
    """How the kernel moves; nothing of a dense layer."""
    return (layer.stride, layer.pad, layer.dilation, layer.groups) if isinstance(layer, Conv) else ()

"""Whole-number arithmetic of the int8 kernels. Torch's quantised stages, the simulator and the C code all compute exactly this.

An int8 number q of a tensor stands for (q - zero) * scale. A kernel sums products in 32 bits and brings the sum to the scale of
its output with a fixed-point factor, rounding once:

    rescale(a) = floor((a * 2^left * multiplier / 2^32 + 2^(right - 1)) / 2^right)

Halves round up (towards plus infinity). Because 2^(32 + right - 1) is a multiple of 2^32, this one rounding is what two cheap
instructions give: the high word of a 32x32 product, rounded down (`SMULL` on Cortex-M4 and M7, `VMULH` on M55), then a rounding
shift right (`VRSHL`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

LOW, HIGH = -128, 127
"""What an int8 number can be."""

MAX_LEFT, MAX_RIGHT = 15, 31


@dataclass(frozen=True, slots=True)
class Quant:
    """How int8 numbers are read: q stands for (q - zero) * scale. `scale` > 0, `zero` in -128 .. 127."""

    scale: float
    zero: int


@dataclass(frozen=True, slots=True, eq=False)
class Rescale:
    """Factors multiplier * 2^(left - 32 - right), one a channel or one for all: int32 [C] or [1].

    `multiplier` lies in 0 .. 2^31 - 1, `left` in 0 .. 15, `right` in 1 .. 31.
    """

    multiplier: Int32
    left: Int32
    right: Int32

    def largest(self) -> Int64:
        """int64 [C]: the largest |accumulator| that 2^left still fits into 32 bits with."""
        return (2**31 - 1) >> self.left.astype(np.int64)


def rescale_of(factors: npt.ArrayLike) -> Rescale:
    """The fixed-point form of positive real factors, float64 [C]. ValueError where one is not in 0 < f < 2^12.

    A factor keeps 31 significant bits; one below 2^-32 keeps what is left of them.
    """
    real = np.atleast_1d(np.asarray(factors, np.float64))
    if not (np.isfinite(real).all() and (real > 0).all() and (real < 2.0**12).all()):
        raise ValueError("a factor of a rescale is zero, negative, not finite, or 4096 and more")
    _, exponent = np.frexp(real)  # real = fraction * 2^exponent, fraction in [0.5, 1)
    shift = np.minimum(31 - exponent, 32 + MAX_RIGHT)  # multiplier = real * 2^shift lies in [2^30, 2^31), or below
    multiplier = np.rint(np.ldexp(real, shift)).astype(np.int64)
    full = multiplier == 1 << 31
    multiplier, shift = np.where(full, 1 << 30, multiplier), np.where(full, shift - 1, shift)
    left = np.maximum(0, 33 - shift)
    return Rescale(multiplier.astype(np.int32), left.astype(np.int32), (shift + left - 32).astype(np.int32))


def rescale(accumulator: npt.ArrayLike, factors: Rescale) -> Int64:
    """Brings int32 sums [.., C] to the output's scale, without its zero and without saturation. Halves round up."""
    wide: Int64 = np.asarray(accumulator, np.int64) << factors.left
    right = factors.right.astype(np.int64)
    wide *= (
        factors.multiplier
    )  # in place: these passes over all numbers of a net are what a simulation spends its time on
    wide >>= 32
    wide += np.int64(1) << (right - 1)
    wide >>= right
    return wide


def saturate(values: npt.ArrayLike, low: int = LOW, high: int = HIGH) -> Int8:
    """Whole numbers held to low .. high, as int8."""
    held: Int8 = np.clip(np.asarray(values), low, high).astype(np.int8)
    return held


def quantise(values: npt.ArrayLike, quant: Quant) -> Int8:
    """Real numbers as int8: the nearest number, halves up, saturated. NaN is refused with a ValueError."""
    real = np.asarray(values, np.float64)
    if np.isnan(real).any():
        raise ValueError("a value to be quantised is no number")
    return saturate(np.floor(real / quant.scale + 0.5) + quant.zero)


def dequantise(numbers: npt.ArrayLike, quant: Quant) -> npt.NDArray[np.float32]:
    """int8 as the real numbers that they stand for, float32, computed in float64 first."""
    return ((np.asarray(numbers, np.float64) - quant.zero) * quant.scale).astype(np.float32)

"""The arithmetic of the GTI 5801, once, for numpy arrays and torch tensors alike.

Everything here is float32 with the order of operations written out, so that both libraries give the same bits: the fake-quantised
network, the exporter and the integer simulator share these functions. Formulas: measured on the vendor's reference quantiser
and on its software chip. Where the vendor's integers overflow silently, these clip and say how many they clipped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = Any
"""A numpy array or a torch tensor of float32."""

WEIGHT_BITS = 8
BIAS_BITS = 20
MAX_SHIFT = 12
ACTIVATION_MAX = 31
"""Activations are 5 bits, unsigned."""
TEN_BIT_CAP = 1023 / 32
"""Largest value of a 10-bit last layer: 1023 steps of 1/32."""

WEIGHT_RANGE = {8: (-128, 127), 3: (-4 * 127, 4 * 127), 1: (-127, 127)}
"""Integers that the chip's records can hold, by coefficient bits; 3- and 1-bit kernels have a 7-bit step."""
BIAS_MAX = 2 ** (BIAS_BITS - 1) - 1
"""20 bits two's complement; -2^19 itself is the record's mark of a zero bias."""


@dataclass(frozen=True, slots=True)
class Clipped:
    """How many weights and biases of a layer left the chip's integer range, and the largest integers that were asked for."""

    weights: int = 0
    biases: int = 0
    largest_weight: float = 0.0
    largest_bias: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.weights or self.biases)


@dataclass(frozen=True, slots=True)
class QuantizedLayer:
    """Weights and bias of one convolution on the grid of 2^-shift, still as real numbers; integers are `value * 2**shift`."""

    weight: Array
    bias: Array | None
    shift: int
    clipped: Clipped


def _library(x: Array) -> Any:
    if isinstance(x, np.ndarray):
        return np
    import torch

    return torch


def round_half_away(x: Array) -> Array:
    """Nearest integer, ties away from zero; in the dtype of `x`."""
    lib = _library(x)
    return lib.where(x >= 0, lib.floor(x + 0.5), lib.ceil(x - 0.5))


def largest(x: Array) -> float:
    """max |x| as a Python float; 0.0 for an empty array."""
    return float(abs(x).max()) if math.prod(x.shape) else 0.0


def raw_shift(max_abs: float, bits: int) -> int:
    """trunc(log2((2^(bits-1) - 1) / (1e-6 + max_abs))) in float32, toward zero: the unclamped shift that fits `bits` bits."""
    ratio = np.float32(2 ** (bits - 1) - 1) / (np.float32(1e-6) + np.float32(max_abs))
    return int(np.float32(math.log2(float(ratio)))) if ratio > 0 else -(2**15)


def layer_shift(max_weight: float, max_bias: float | None) -> int:
    """The binary point of a sublayer, 0..12: the finest at which weights fit 8 bits and biases 20."""
    shift = raw_shift(max_weight, WEIGHT_BITS)
    if max_bias is not None:
        shift = min(shift, raw_shift(max_bias, BIAS_BITS))
    return min(max(shift, 0), MAX_SHIFT)


def _kernel_means(weight: Array) -> Array:
    """Mean |w| of each kernel, float32 [O, I, 1, 1]: summed in float64 in a fixed order, then rounded once."""
    lib = _library(weight)
    taps = lib.asarray(abs(weight), dtype=lib.float64).reshape(weight.shape[0], weight.shape[1], -1)
    total = taps[..., 0]
    for t in range(1, taps.shape[-1]):
        total = total + taps[..., t]
    return lib.asarray(total / taps.shape[-1], dtype=lib.float32)[..., None, None]


def _quantize_weight(weight: Array, bits: int, shift: int) -> tuple[Array, Array]:
    """Integers (as floats) of the weights at `shift`, before and after clipping to what a record holds."""
    lib = _library(weight)
    scale = float(2**shift)
    low, high = WEIGHT_RANGE[bits]
    if bits == 8:
        wanted = round_half_away(weight * scale)
        return wanted, lib.clip(wanted, low, high)
    mean = _kernel_means(weight)
    if bits == 1:
        step = round_half_away(mean * scale)
        code = lib.where(weight >= 0, 1.0, -1.0)
    else:
        unit = lib.where(mean == 0, lib.asarray(1e-6, dtype=mean.dtype), mean) / 4
        code = lib.trunc(abs(weight) / unit)
        code = lib.where(code >= 3, 4.0, code) * lib.where(weight >= 0, 1.0, -1.0)
        step = round_half_away(unit * scale)
    code = lib.asarray(code, dtype=weight.dtype)
    return code * step, code * lib.clip(step, 0, 127)


def quantize_layer(weight: Array, bias: Array | None, bits: int) -> QuantizedLayer:
    """Quantise one convolution as the chip holds it.

    `weight` float32 [O, I, kh, kw], `bias` float32 [O] or None, `bits` 1, 3 or 8 (coefficient bits of the major layer).
    8 bits: round(w 2^s). 1 bit: +-round(mean 2^s) a kernel. 3 bits: {0, +-1, +-2, +-4} steps of round(mean / 4 * 2^s), codes
    taken from the unrounded step. ValueError for other bits or values that are not finite.
    """
    if bits not in WEIGHT_RANGE:
        raise ValueError(f"coefficients of the 5801 have 1, 3 or 8 bits, not {bits}")
    max_weight, max_bias = largest(weight), None if bias is None else largest(bias)
    if not math.isfinite(max_weight + (max_bias or 0.0)):
        raise ValueError("weights or biases are not finite")
    shift = layer_shift(max_weight, max_bias)
    scale = float(2**shift)
    wanted, integers = _quantize_weight(weight, bits, shift)
    clipped = Clipped()
    if shift == 0 and max_weight > WEIGHT_RANGE[8][1]:
        over = int((wanted != integers).sum())
        clipped = Clipped(weights=over, largest_weight=largest(wanted) if over else 0.0)
    if bias is None or max_bias is None:
        return QuantizedLayer(integers / scale, None, shift, clipped)
    wanted_bias = round_half_away(bias * scale)
    bias_integers = wanted_bias
    if max_bias * scale >= BIAS_MAX:
        bias_integers = _library(bias).clip(wanted_bias, -BIAS_MAX, BIAS_MAX)
        over = int((wanted_bias != bias_integers).sum())
        clipped = Clipped(clipped.weights, over, clipped.largest_weight, largest(wanted_bias) if over else 0.0)
    return QuantizedLayer(integers / scale, bias_integers / scale, shift, clipped)


def integers(values: Array, shift: int) -> npt.NDArray[np.int32]:
    """value * 2^shift of numbers that lie on the grid already, as int32."""
    array = np.asarray(values, dtype=np.float64) * 2.0**shift
    return np.asarray(round_half_away(array), dtype=np.int32)


def quantize_relu(x: Array, cap: float, levels: int = ACTIVATION_MAX) -> Array:
    """ReLU clipped at `cap` and rounded to `levels` steps: round(y q) / q with q = levels / cap taken in double.

    float32 in, float32 out. y = (|x| - |x - cap| + cap) / 2, multiplied by q, then divided by it: the algebraically equal forms
    (a plain clip, y * levels / cap) lose ties or last bits. At the chip's own cap (q a power of two) all forms agree.
    """
    lib = _library(x)
    q = float(np.float32(levels / cap))
    if q in (1.0, 32.0):
        y = lib.clip(x, 0, cap)
    else:
        top = float(np.float32(cap))
        y = abs(x)
        y -= abs(x - top)
        y += top
        y *= 0.5
    y *= q
    y += 0.5
    lib.floor(y, out=y)
    y /= q
    return y


def quantize_input(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The chip's 8 to 5 bit step: ((x >> 2) + 1) >> 1, at most 31. u8 in, u8 out, any shape."""
    return np.asarray(np.minimum(((pixels >> 2) + 1) >> 1, ACTIVATION_MAX), np.uint8)


def deviation(var: Array, eps: float) -> Array:
    """sqrt(var + eps), float32, correctly rounded: by way of float64, since torch's own float32 root may miss the last bit."""
    lib = _library(var)
    return lib.asarray(lib.sqrt(lib.asarray(var + eps, dtype=lib.float64)), dtype=lib.float32)


def fuse_batch_norm(
    weight: Array, bias: Array | None, mean: Array, var: Array, gamma: Array, beta: Array, eps: float
) -> tuple[Array, Array]:
    """Weights [O, I, kh, kw] and bias [O] of a convolution with its batch norm folded in.

    w gamma / sigma and (b - mean) gamma / sigma + beta, with sigma = sqrt(var + eps).
    """
    sigma = deviation(var, eps)
    start = -mean if bias is None else bias - mean
    return weight * (gamma / sigma).reshape(-1, 1, 1, 1), start * gamma / sigma + beta

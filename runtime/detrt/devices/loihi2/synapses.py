"""What arrives at the neurons of a layer: exact whole-number sums of weighted messages, worked out only where messages came.

Maps lie as [height, width, channels] here, so that the values under a kernel are rows of a matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.devices.loihi2.network import Conv, Dense, Ints, Shape

Messages = npt.NDArray[np.int32]
EXACT = 1 << 53
"""Whole numbers below it are exact in float64, and so are their sums in any order."""
ACCUMULATOR = 24
"""Bits of a convolution's sum in netx (lava 0.10.0, proc/conv/models.py): what does not fit wraps around."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Sums at the places (flat indices of the output map) that messages reached: `sums` int64 [places, outputs]. All other
    sums are 0. `wrapped` of them left 24 bits; `operations` is how many weights were used."""

    places: npt.NDArray[np.intp]
    sums: Ints
    wrapped: int = 0
    operations: int = 0


def wrap(sums: Ints, bits: int = ACCUMULATOR) -> Ints:
    """Modulo 2^bits into [-2^(bits-1), 2^(bits-1)): +2^23 becomes -2^23 (lava calls it signed_clamp, but nothing is clamped)."""
    half = 1 << (bits - 1)
    wrapped: Ints = ((sums + half) & ((1 << bits) - 1)) - half
    return wrapped


class _Matrix:
    """A matrix of whole numbers [in, out] to multiply rows with, by float64 where that is exact."""

    def __init__(self, weight: Ints) -> None:
        self.whole = np.ascontiguousarray(weight)
        self.real = self.whole.astype(np.float64)
        self.reach = int(np.abs(self.whole).sum(axis=0).max(initial=0))

    def of(self, rows: npt.NDArray[Any]) -> Ints:
        """int64 [rows, out], exact while sums stay below 2^63, as 32-bit messages and 2^20 weights do."""
        largest = max(int(rows.max(initial=0)), -int(rows.min(initial=0)))
        if largest * self.reach < EXACT:
            product: Ints = (rows.astype(np.float64) @ self.real).astype(np.int64)
        else:
            product = rows.astype(np.int64) @ self.whole
        return product


class ConvSynapses:
    """The synapses of a convolution on maps of `shape` [C, H, W]."""

    def __init__(self, layer: Conv, shape: Shape) -> None:
        self._layer = layer
        outputs, inputs, *kernel = layer.weight.shape
        self._kernel = (kernel[0], kernel[1])
        self._inputs = inputs
        _, self._height, self._width = layer.out_shape(shape)
        share = outputs // layer.groups
        parts = layer.weight.reshape(layer.groups, share, inputs, *kernel)
        self._matrices = [_Matrix(part.transpose(2, 3, 1, 0).reshape(-1, share)) for part in parts]
        rows = self._uses(shape[1], self._height, axis=0)
        self._fan_out = share * np.outer(rows, self._uses(shape[2], self._width, axis=1))

    def _uses(self, side: int, out: int, axis: int) -> Ints:
        """How often each line of the input is read along an axis."""
        layer = self._layer
        starts = np.arange(out)[:, None] * layer.stride[axis] - layer.pad[axis]
        read = (starts + np.arange(self._kernel[axis])[None] * layer.dilation[axis]).ravel()
        return np.bincount(read[(read >= 0) & (read < side)], minlength=side)

    def __call__(self, messages: Messages) -> Arrival:
        """What `messages` [H, W, C] bring."""
        sent = np.count_nonzero(messages, axis=2)
        windows = self._windows(messages)
        reached = self._windows(sent[:, :, None]).any(axis=(2, 3, 4))
        places = np.flatnonzero(reached)
        taken = windows[reached]
        under = self._kernel[0] * self._kernel[1] * self._inputs
        parts = [
            matrix.of(taken[..., g * self._inputs : (g + 1) * self._inputs].reshape(len(places), under))
            for g, matrix in enumerate(self._matrices)
        ]
        sums = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        wrapped = wrap(sums)
        return Arrival(places, wrapped, int(np.count_nonzero(wrapped != sums)), int((sent * self._fan_out).sum()))

    def _windows(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A view [h, w, kh, kw, C] of the values under each place of the kernel."""
        (up, left), (down, right), (tall, wide) = self._layer.pad, self._layer.stride, self._layer.dilation
        padded = np.pad(values, ((up, up), (left, left), (0, 0)))
        y, x, c = padded.strides
        shape = (self._height, self._width, *self._kernel, values.shape[2])
        return np.lib.stride_tricks.as_strided(
            padded, shape, (y * down, x * right, y * tall, x * wide, c), writeable=False
        )


class DenseSynapses:
    """The synapses of a matrix. Its sums are not wrapped (lava 0.10.0, proc/dense/models.py)."""

    def __init__(self, layer: Dense) -> None:
        self._matrix = _Matrix(layer.weight.T)

    def __call__(self, messages: Messages) -> Arrival:
        """What `messages` [1, 1, n] bring."""
        values = messages.ravel()
        came = np.flatnonzero(values)
        outputs = self._matrix.whole.shape[1]
        if not len(came):
            return Arrival(np.empty(0, np.intp), np.empty((0, outputs), np.int64))
        sums = self._matrix.of(values[None])
        return Arrival(np.zeros(1, np.intp), sums, 0, len(came) * outputs)

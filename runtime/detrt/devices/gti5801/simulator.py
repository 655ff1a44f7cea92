"""The chip in integers: the same numbers as the vendor's software chip, layer by layer, in numpy.

A convolution is nine matrix products over shifted views of the padded map. They run in float32 where a bound proves that
every partial sum stays below 2^24 (then each is an exact integer, whatever the order of summation), else in float64.
Formulas: measured on the vendor's software chip. Accumulator width and timing are not modelled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.devices.gti5801.arithmetic import ACTIVATION_MAX, quantize_input
from detrt.devices.gti5801.errors import DeviceError
from detrt.devices.gti5801.network import ChipNetwork, Kind, Sublayer

EXACT_FLOAT32 = 2**24
FC77_GAIN = 8
"""A pooled 7x7 result comes back times 8."""
TEN_BIT_LEVELS = 1023
TEN_BIT_STEPS = 32

Map = npt.NDArray[Any]
Trace = Callable[[int, int, Map], None]
"""Called with (major from 1, sublayer from 1, activation u8 CHW before pooling)."""


def accumulator_bound(layer: Sublayer) -> int:
    """Largest |partial sum| that any 5-bit input, and one more as shortcut, can make in whatever order it is summed."""
    per_output = np.abs(layer.weight.astype(np.int32)).reshape(len(layer.weight), -1).sum(axis=1, dtype=np.int64)
    sums = (per_output + 2**layer.shift) * ACTIVATION_MAX + np.abs(layer.bias.astype(np.int64))
    return int(sums.max())


def _convolve(x: Map, kind: Kind, layer: Sublayer) -> Map:
    """Accumulators [O, S, S] in a float dtype that holds them exactly; `x` is u8 [C, S, S]."""
    dtype = np.float32 if accumulator_bound(layer) < EXACT_FLOAT32 else np.float64
    channels, height, width = x.shape
    weight = layer.weight.astype(dtype)
    bias = layer.bias.astype(dtype)[:, None]
    if kind == "pointwise":
        flat: Map = weight[:, :, 0, 0] @ x.reshape(channels, -1).astype(dtype) + bias
        return flat.reshape(-1, height, width)
    row = width + 2
    padded = np.zeros((channels, (height + 2) * row + 2), dtype)
    padded[:, : (height + 2) * row].reshape(channels, height + 2, row)[:, 1:-1, 1:-1] = x
    span = height * row
    total = np.empty((len(weight), span), dtype)
    total[:] = bias
    product = np.empty_like(total)
    for dy in range(3):
        for dx in range(3):
            view = padded[:, dy * row + dx : dy * row + dx + span]
            if kind == "depthwise":
                np.multiply(view, weight[:, 0, dy, dx, None], out=product)
            else:
                np.matmul(np.ascontiguousarray(weight[:, :, dy, dx]), view, out=product)
            total += product
    return total.reshape(-1, height, row)[:, :, :width]


def _activate(accumulators: Map, shift: int, levels: int = ACTIVATION_MAX) -> Map:
    """ReLU, division by 2^shift with ties upward (negative sums are cut to 0 anyway), clip: u8, or u16 for 10 bits."""
    values = accumulators * accumulators.dtype.type(2.0**-shift)
    values += accumulators.dtype.type(0.5)
    np.floor(values, out=values)
    np.clip(values, 0, levels, out=values)
    return np.asarray(values, np.uint8 if levels == ACTIVATION_MAX else np.uint16)


def _pool(x: Map, sampling: bool) -> Map:
    if sampling:
        return np.ascontiguousarray(x[:, ::2, ::2])
    columns = np.maximum(x[:, :, 0::2], x[:, :, 1::2])
    return np.maximum(columns[:, 0::2], columns[:, 1::2])


class Simulator:
    """A network ready to run. It must be one that `check_network` has passed, as those read from files have."""

    def __init__(self, network: ChipNetwork) -> None:
        self.network = network

    def run(self, pixels: npt.NDArray[np.uint8], trace: Trace | None = None) -> npt.NDArray[np.float32]:
        """The chip's answer to one picture.

        `pixels` u8 [C, S, S], raw 8 bits. Returns float32 [C, S, S]: whole numbers 0..31; 8 times that if the last map is
        7x7; a 10-bit last layer gives 0 .. 1023/32 in steps of 1/32 (a range from the toolkits' cap; no run of the vendor's
        software confirms it).
        DeviceError for a picture of another shape or dtype.
        """
        pixels = np.asarray(pixels)
        if pixels.dtype != np.uint8 or pixels.shape != self.network.input_shape:
            raise DeviceError(
                f"the network takes u8{list(self.network.input_shape)}, not {pixels.dtype}{list(pixels.shape)}"
            )
        x = quantize_input(pixels)
        for number, major in enumerate(self.network.majors, start=1):
            shape = major.shape
            before: Map | None = None  # input of the previous sublayer; shortcuts never cross major layers
            for index, (kind, layer) in enumerate(zip(shape.kinds, major.sublayers, strict=True), start=1):
                total = _convolve(x, kind, layer)
                if index - 1 in shape.shortcuts and before is not None:
                    total = total + before.astype(total.dtype) * total.dtype.type(2**layer.shift)
                before = x
                if shape.ten_bits:
                    x = _activate(total * total.dtype.type(TEN_BIT_STEPS), layer.shift, TEN_BIT_LEVELS)
                else:
                    x = _activate(total, layer.shift)
                if trace is not None:
                    trace(number, index, x)
            if shape.pooling:
                x = _pool(x, self.network.sampling)
        result = np.zeros(self.network.output_shape, np.float32)
        result[: len(x)] = x
        last = self.network.majors[-1].shape
        if last.pooling and last.output_size == 7:
            result *= FC77_GAIN
        if last.ten_bits:
            result /= TEN_BIT_STEPS
        return result


def simulate(
    network: ChipNetwork, pixels: npt.NDArray[np.uint8], trace: Trace | None = None
) -> npt.NDArray[np.float32]:
    """`Simulator(network).run(pixels, trace)` for one picture."""
    return Simulator(network).run(pixels, trace)

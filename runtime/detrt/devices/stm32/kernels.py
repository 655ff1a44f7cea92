"""The kernels in numpy: each takes the int8 inputs of a step and gives its int8 output, equal to the C kernels bit for bit.

Sums of products run as float matrix products wherever they are exact: float32 while no partial sum can reach 2^24, float64
otherwise (`Program` bounds them by 2^31). Work goes by bands of rows, so that what is summed stays in a cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.devices.stm32.arithmetic import HIGH, LOW, Int8, Int64, Quant, rescale, saturate
from detrt.devices.stm32.program import (
    Add,
    AveragePool,
    Channels,
    Concat,
    Conv,
    Dense,
    Depthwise,
    MaxPool,
    Mul,
    Pad,
    Pair,
    Reorder,
    Resize,
    Shuffle,
    Sides,
    SpaceToDepth,
    Step,
    Table,
    Tensor,
    sum_quant,
)

EXACT_FLOAT32 = 2**24
"""Whole numbers up to this one are float32 numbers, and so are their sums while those stay below."""

BAND = 1 << 16
"""Numbers of a band: a quarter of a megabyte in float32."""

Floats = npt.NDArray[Any]


def looked_up(table: Int8 | None, numbers: Int8) -> Int8:
    """table[q + 128] of each number; without a table the numbers themselves."""
    if table is None:
        return numbers
    return table[numbers.astype(np.int16) + 128]


def accumulator_bound(weight: Int8, bias: npt.NDArray[np.int32], axis: int = 0) -> Int64:
    """int64 [out]: no partial sum of any input, in any order, with or without the zero folded into the bias, is larger."""
    sums: Int64 = np.abs(np.moveaxis(weight, axis, 0).astype(np.int64)).reshape(len(bias), -1).sum(axis=1)
    return sums * (HIGH - LOW) + np.abs(bias.astype(np.int64))


def _float(bound: int) -> type[Any]:
    return np.float32 if bound < EXACT_FLOAT32 else np.float64


def _bordered(x: Int8, pad: Sides, fill: int) -> Int8:
    top, left, bottom, right = pad
    if not any(pad):
        return x
    return np.pad(x, ((top, bottom), (left, right), (0, 0)), constant_values=np.int8(fill))


def windows(x: npt.NDArray[Any], k: Pair, stride: Pair, dilation: Pair = (1, 1)) -> npt.NDArray[Any]:
    """A view [out rows, out columns, rows, columns, channels] of each window of x [height, width, channels]."""
    size = ((k[0] - 1) * dilation[0] + 1, (k[1] - 1) * dilation[1] + 1)
    view = np.lib.stride_tricks.sliding_window_view(x, size, axis=(0, 1))  # [.., .., channels, rows, columns]
    view = view[:: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return view.transpose(0, 1, 3, 4, 2)


def _bands(rows: int, row: int) -> Iterator[slice]:
    """Slices of `rows` rows of `row` numbers each."""
    step = max(1, BAND // max(1, row))
    for first in range(0, rows, step):
        yield slice(first, min(rows, first + step))


def _finished(sums: npt.ArrayLike, step: Conv | Depthwise | Dense | AveragePool | Mul, zero: int) -> Int8:
    """Sums as numbers of the output: rescaled, held to the step's range, looked up in its table."""
    numbers = saturate(rescale(sums, step.rescale) + zero, step.low, step.high)
    return looked_up(None if isinstance(step, AveragePool) else step.table, numbers)


def conv(step: Conv, x: Int8, zero_in: int, zero_out: int) -> Int8:
    bordered = _bordered(x, step.pad, zero_in)
    out, rows, columns, inner = step.weight.shape
    kind = _float(int(accumulator_bound(step.weight, step.bias).max()))
    view = windows(bordered, (rows, columns), step.stride, step.dilation)
    result = np.empty((*view.shape[:2], out), np.int8)
    per_group = out // step.groups
    length = rows * columns * inner
    weight = step.weight.reshape(step.groups, per_group, length).transpose(0, 2, 1).astype(kind)
    for band in _bands(view.shape[0], view.shape[1] * rows * columns * x.shape[2]):
        part = view[band]
        sums = np.empty((part.shape[0] * part.shape[1], out), kind)
        for group in range(step.groups):
            taken = part[..., group * inner : (group + 1) * inner].astype(kind).reshape(-1, length)
            taken -= kind(zero_in)
            np.matmul(taken, weight[group], out=sums[:, group * per_group : (group + 1) * per_group])
        sums += step.bias.astype(kind)
        result[band] = _finished(sums.astype(np.int64), step, zero_out).reshape(*part.shape[:2], out)
    return result


def depthwise(step: Depthwise, x: Int8, zero_in: int, zero_out: int) -> Int8:
    bordered = _bordered(x, step.pad, zero_in)
    rows, columns, channels = step.weight.shape
    kind = _float(int(accumulator_bound(step.weight, step.bias, axis=2).max()))
    view = windows(bordered, (rows, columns), step.stride, step.dilation)
    result = np.empty((*view.shape[:2], channels), np.int8)
    weight = step.weight.astype(kind)
    for band in _bands(view.shape[0], view.shape[1] * channels):
        part = view[band]
        sums = np.empty((*part.shape[:2], channels), kind)
        sums[:] = step.bias
        for row in range(rows):
            for column in range(columns):
                taken = part[:, :, row, column].astype(kind)
                taken -= kind(zero_in)
                taken *= weight[row, column]
                sums += taken
        result[band] = _finished(sums.astype(np.int64), step, zero_out)
    return result


def dense(step: Dense, x: Int8, zero_in: int, zero_out: int) -> Int8:
    kind = _float(int(accumulator_bound(step.weight, step.bias).max()))
    sums = step.weight.astype(kind) @ (x.reshape(-1).astype(kind) - kind(zero_in)) + step.bias.astype(kind)
    return _finished(sums.astype(np.int64), step, zero_out)


def max_pool(step: MaxPool, x: Int8) -> Int8:
    view = windows(_bordered(x, step.pad, LOW), step.k, step.stride)
    best: Int8 = view[:, :, 0, 0].copy()
    for row in range(step.k[0]):
        for column in range(step.k[1]):
            np.maximum(best, view[:, :, row, column], out=best)
    return best


def average_pool(step: AveragePool, x: Int8, zero_in: int, zero_out: int) -> Int8:
    view = windows(_bordered(x, step.pad, zero_in), step.k, step.stride)
    sums = np.zeros((*view.shape[:2], view.shape[4]), np.int64)
    for row in range(step.k[0]):
        for column in range(step.k[1]):
            sums += view[:, :, row, column]
    return _finished(sums - zero_in * step.k[0] * step.k[1], step, zero_out)


def add(step: Add, x: Int8, y: Int8, zeros: Pair, zero_out: int) -> Int8:
    one, other = (v.astype(np.int64) - zero for v, zero in zip((x, y), zeros, strict=True))
    sums = one * step.multipliers[0] + other * step.multipliers[1] + (1 << (step.shift - 1))
    return looked_up(step.table, saturate((sums >> step.shift) + zero_out, step.low, step.high))


def mul(step: Mul, x: Int8, y: Int8, zeros: Pair, zero_out: int) -> Int8:
    product = (x.astype(np.int64) - zeros[0]) * (y.astype(np.int64) - zeros[1])
    return _finished(product, step, zero_out)


def concat(step: Concat, inputs: Sequence[Int8]) -> Int8:
    return np.concatenate([looked_up(t, x) for t, x in zip(step.tables, inputs, strict=True)], axis=-1)


def bilinear_taps(size: int, factor: int) -> tuple[Int64, Int64, Int64]:
    """(first, second, share of the second) of each of `factor` * `size` places of an enlarged row, int64 each.

    Place o lies at (o + 1/2) / factor - 1/2 of the source, between pixels `first` and `second`, which stop at the edges: torch's
    `interpolate(mode="bilinear", align_corners=False)`. Shares are whole: out of 2 * factor, the first pixel has the rest.
    """
    places = 2 * np.arange(size * factor, dtype=np.int64) + 1 - factor  # in units of 1 / (2 * factor) pixels
    first, share = places // (2 * factor), places % (2 * factor)
    return np.clip(first, 0, size - 1), np.clip(first + 1, 0, size - 1), share


def bilinear(x: Int8, factor: Pair) -> Int8:
    """floor((sum of rows' share * columns' share * x + half) / whole) with whole = 4 * factor[0] * factor[1]: halves round up.

    The sum is over the four neighbours of `bilinear_taps`. It is exact: there is one rounding.
    """
    top, bottom, down = bilinear_taps(x.shape[0], factor[0])
    left, right, across = bilinear_taps(x.shape[1], factor[1])
    down, across = down[:, None, None], across[:, None]
    wide = x.astype(np.int64)
    rows = wide[top] * (2 * factor[0] - down) + wide[bottom] * down
    sums = rows[:, left] * (2 * factor[1] - across) + rows[:, right] * across
    whole = 4 * factor[0] * factor[1]
    return ((sums + whole // 2) // whole).astype(np.int8)


def resize(step: Resize, x: Int8) -> Int8:
    if step.bilinear:
        return bilinear(x, step.factor)
    return x.repeat(step.factor[0], axis=0).repeat(step.factor[1], axis=1)


def channels(step: Channels, x: Int8) -> Int8:
    return x[..., step.first : step.first + (step.count - 1) * step.every + 1 : step.every]


def shuffle(step: Shuffle, x: Int8) -> Int8:
    dealt = x.reshape(*x.shape[:-1], step.groups, -1)
    return dealt.swapaxes(-1, -2).reshape(x.shape)


def space_to_depth(step: SpaceToDepth, x: Int8) -> Int8:
    n = step.block
    return np.concatenate([x[row::n, column::n] for row, column in step.order], axis=-1)


def reorder(step: Reorder, x: Int8) -> Int8:
    return x.transpose(step.axes)


def run(step: Step, inputs: Sequence[Int8], quants: Sequence[Quant], output: Tensor) -> Int8:
    """The output of one step, int8 in the shape of `output`. `quants` are those of the inputs."""
    zeros, zero_out = [quant.zero for quant in quants], sum_quant(step, output.quant).zero
    x = inputs[0]
    match step:
        case Conv():
            result = conv(step, x, zeros[0], zero_out)
        case Depthwise():
            result = depthwise(step, x, zeros[0], zero_out)
        case Dense():
            result = dense(step, x, zeros[0], zero_out)
        case MaxPool():
            result = max_pool(step, x)
        case AveragePool():
            result = average_pool(step, x, zeros[0], zero_out)
        case Add():
            result = add(step, x, inputs[1], (zeros[0], zeros[1]), zero_out)
        case Mul():
            result = mul(step, x, inputs[1], (zeros[0], zeros[1]), zero_out)
        case Concat():
            result = concat(step, inputs)
        case Table():
            result = looked_up(step.table, x)
        case Pad():
            result = _bordered(x, step.pad, zeros[0])
        case _:
            result = _MOVING[type(step)](step, x)
    return np.ascontiguousarray(result).reshape(output.shape)


_MOVING: dict[type[Step], Callable[[Any, Int8], Int8]] = {
    Resize: resize,
    Channels: channels,
    Shuffle: shuffle,
    SpaceToDepth: space_to_depth,
    Reorder: reorder,
}

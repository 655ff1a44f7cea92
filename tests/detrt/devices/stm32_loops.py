"""The kernels of an STM32 network as plain loops over the formulas of program.py: slow, and without a trick."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.devices.stm32 import program as p
from detrt.devices.stm32.arithmetic import Quant, Rescale

Int8 = npt.NDArray[np.int8]


def rescaled(a: int, factors: Rescale, channel: int) -> int:
    """floor((a * 2^left * multiplier / 2^32 + 2^(right - 1)) / 2^right), in whole numbers of any length."""
    at = channel if len(factors.multiplier) > 1 else 0
    left, right = int(factors.left[at]), int(factors.right[at])
    return (a * 2**left * int(factors.multiplier[at]) + 2 ** (31 + right)) // 2 ** (32 + right)


def finished(a: int, step: Any, zero_out: int) -> int:
    q = min(max(a + zero_out, step.low), step.high)
    table = getattr(step, "table", None)
    return q if table is None else int(table[q + 128])


def window(step: Any, k: tuple[int, int], y: int, x: int, shape: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """(row and column in the window, row and column in the input) of what of a window lies inside of the input."""
    dilation = getattr(step, "dilation", (1, 1))
    places = [
        (r, c, y * step.stride[0] - step.pad[0] + r * dilation[0], x * step.stride[1] - step.pad[1] + c * dilation[1])
        for r in range(k[0])
        for c in range(k[1])
    ]
    return [place for place in places if 0 <= place[2] < shape[0] and 0 <= place[3] < shape[1]]


def _conv(step: p.Conv, x: Int8, zero: int, y: int, column: int, channel: int) -> int:
    inner = step.weight.shape[3]
    first = channel // (len(step.weight) // step.groups) * inner
    total = int(step.bias[channel])
    for r, c, row, at in window(step, step.weight.shape[1:3], y, column, x.shape):
        total += sum(
            int(w) * (int(v) - zero)
            for w, v in zip(step.weight[channel, r, c], x[row, at, first : first + inner], strict=True)
        )
    return total


def _value(step: p.Step, inputs: Sequence[Int8], quants: Sequence[Quant], zero_out: int, place: tuple[int, ...]) -> int:
    """One number of the output."""
    x, zero = inputs[0], quants[0].zero
    match step:
        case p.Conv():
            return finished(rescaled(_conv(step, x, zero, *place), step.rescale, place[2]), step, zero_out)
        case p.Depthwise():
            y, column, c = place
            total = int(step.bias[c]) + sum(
                int(step.weight[i, j, c]) * (int(x[row, at, c]) - zero)
                for i, j, row, at in window(step, step.weight.shape[:2], y, column, x.shape)
            )
            return finished(rescaled(total, step.rescale, c), step, zero_out)
        case p.Dense():
            total = int(step.bias[place[-1]]) + sum(
                int(w) * (int(v) - zero) for w, v in zip(step.weight[place[-1]], x.reshape(-1), strict=True)
            )
            return finished(rescaled(total, step.rescale, place[-1]), step, zero_out)
        case p.MaxPool():
            y, column, c = place
            return max([-128, *(int(x[row, at, c]) for _, _, row, at in window(step, step.k, y, column, x.shape))])
        case p.AveragePool():
            y, column, c = place
            total = sum(int(x[row, at, c]) - zero for _, _, row, at in window(step, step.k, y, column, x.shape))
            return finished(rescaled(total, step.rescale, 0), step, zero_out)
        case p.Add():
            total = sum((int(v[place]) - q.zero) * m for v, q, m in zip(inputs, quants, step.multipliers, strict=True))
            return finished((total + 2 ** (step.shift - 1)) // 2**step.shift, step, zero_out)
        case p.Mul():
            other = inputs[1][place] if inputs[1].shape == x.shape else inputs[1].reshape(-1)[place[-1]]
            product = (int(x[place]) - zero) * (int(other) - quants[1].zero)
            return finished(rescaled(product, step.rescale, 0), step, zero_out)
        case p.Concat():
            c = place[-1]
            for part, table in zip(inputs, step.tables, strict=True):
                if c < part.shape[-1]:
                    q = int(part[(*place[:-1], c)])
                    return q if table is None else int(table[q + 128])
                c -= part.shape[-1]
        case p.Table():
            return int(step.table[int(x[place]) + 128])
        case p.Resize() if not step.bilinear:
            return int(x[place[0] // step.factor[0], place[1] // step.factor[1], place[2]])
        case p.Resize():
            return _bilinear(step, x, place)
        case p.Channels():
            return int(x[(*place[:-1], step.first + place[-1] * step.every)])
        case p.Shuffle():
            n = x.shape[-1] // step.groups
            return int(x[(*place[:-1], place[-1] % step.groups * n + place[-1] // step.groups)])
        case p.SpaceToDepth():
            row, column = step.order[place[2] // x.shape[2]]
            return int(x[place[0] * step.block + row, place[1] * step.block + column, place[2] % x.shape[2]])
        case p.Pad():
            y, column = place[0] - step.pad[0], place[1] - step.pad[1]
            inside = 0 <= y < x.shape[0] and 0 <= column < x.shape[1]
            return int(x[y, column, place[2]]) if inside else zero
        case p.Reorder():
            source = [0, 0, 0]
            for axis, at in zip(step.axes, place, strict=True):
                source[axis] = at
            return int(x[tuple(source)])
    raise TypeError(type(step).__name__)


def _bilinear(step: p.Resize, x: Int8, place: tuple[int, ...]) -> int:
    """Places stand for their middles: the shares of the four neighbours, in 1 / (4 * factors), rounded once, halves up."""
    total, whole = 0, 4 * step.factor[0] * step.factor[1]
    rows, columns = (2 * at + 1 - f for at, f in zip(place[:2], step.factor, strict=True))
    for r in (0, 1):
        for c in (0, 1):
            row, down = divmod(rows, 2 * step.factor[0])
            column, across = divmod(columns, 2 * step.factor[1])
            share = (down if r else 2 * step.factor[0] - down) * (across if c else 2 * step.factor[1] - across)
            y, at = min(max(row + r, 0), x.shape[0] - 1), min(max(column + c, 0), x.shape[1] - 1)
            total += share * int(x[y, at, place[2]])
    return math.floor((2 * total + whole) / (2 * whole))


def run(step: p.Step, inputs: Sequence[Int8], quants: Sequence[Quant], output: p.Tensor) -> Int8:
    """int8 in the output's shape."""
    result = np.zeros(output.shape, np.int8)
    for place in np.ndindex(output.shape):
        result[place] = _value(step, inputs, quants, output.quant.zero, place)
    return result

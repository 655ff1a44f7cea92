"""Functions of an int8 number as 256 whole numbers, computed in decimal arithmetic: equal on every machine.

A table is indexed by q + 128, one of powers by how far q lies below the largest. Its numbers are rounded once, halves to
the even one, and saturated.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache

import numpy as np

from detrt.devices.stm32.arithmetic import LOW, Int32, Quant

ONE_SCORE = 1 << 24
"""A score of 1: as fine as float32 is below 1, so that sure finds keep their order."""
ONE_BOX = 1 << 16
"""The width or height of the net's canvas; also 1 in the tables of offsets and sizes."""
ONE_POWER = 1 << 19
"""The power of the largest number of a softmax: those of 4,096 classes add up below 2^32."""
UNIT_BITS = 24
"""Fractional bits of what an offset or a size is multiplied by."""

LARGEST = (1 << 31) - 1
LARGEST_OFFSET = 1 << 26
LARGEST_SCORE = 8 * ONE_SCORE
"""Scores that no sigmoid holds to 0 .. 1 end at 8, so that the product of two fits 32 bits."""

_CONTEXT = Context(prec=24, rounding=ROUND_HALF_EVEN, Emin=-999_999, Emax=999_999, traps=[])
_FARTHEST = Decimal(1000)
"""Beyond it an exponential is 0 or saturates, whatever its scale."""


def _table(function: Callable[[Decimal], Decimal], one: int, quant: Quant, least: int, most: int) -> Int32:
    """round(function(x) * one), held to least .. most, for each of the 256 numbers x that q stands for."""
    scale = Decimal(quant.scale)
    values = [function(_CONTEXT.multiply(scale, Decimal(q - quant.zero))) for q in range(LOW, LOW + 256)]
    return _frozen([_whole(value, one, least, most) for value in values])


def _whole(value: Decimal, one: int, least: int, most: int) -> int:
    scaled = _CONTEXT.multiply(value, Decimal(one))
    if scaled >= most:
        return most
    return least if scaled <= least else int(scaled.to_integral_value(ROUND_HALF_EVEN, _CONTEXT))


def _frozen(values: list[int]) -> Int32:
    table = np.array(values, np.int32)
    table.flags.writeable = False
    return table


def _exp(x: Decimal) -> Decimal:
    return _CONTEXT.exp(max(-_FARTHEST, min(_FARTHEST, x)))


def _sigmoid(x: Decimal) -> Decimal:
    return _CONTEXT.divide(Decimal(1), _CONTEXT.add(Decimal(1), _exp(-x)))


@lru_cache(maxsize=64)
def sigmoids(quant: Quant, one: int) -> Int32:
    """1 / (1 + exp(-x)) * `one`: int32 [256]."""
    return _table(_sigmoid, one, quant, 0, one)


@lru_cache(maxsize=64)
def lines(quant: Quant, factor: float = 1.0) -> Int32:
    """x * `factor` as an offset, of 65536 a unit: int32 [256]."""
    by = Decimal(factor)
    return _table(lambda x: _CONTEXT.multiply(x, by), ONE_BOX, quant, -LARGEST_OFFSET, LARGEST_OFFSET)


@lru_cache(maxsize=64)
def plain_scores(quant: Quant) -> Int32:
    """x as a score, of 2^24 a unit, held to -8 .. 8: int32 [256]."""
    return _table(lambda x: x, ONE_SCORE, quant, -LARGEST_SCORE, LARGEST_SCORE)


@lru_cache(maxsize=64)
def sizes(quant: Quant, factor: float = 1.0, most: float | None = None) -> Int32:
    """exp(min(x * `factor`, `most`)), of 65536 a unit: int32 [256]."""
    by, bound = Decimal(factor), _FARTHEST if most is None else Decimal(most)
    return _table(lambda x: _exp(min(bound, _CONTEXT.multiply(x, by))), ONE_BOX, quant, 0, LARGEST)


@lru_cache(maxsize=64)
def squares(quant: Quant) -> Int32:
    """x * x, of 65536 a unit: int32 [256]."""
    return _table(lambda x: _CONTEXT.multiply(x, x), ONE_BOX, quant, 0, LARGEST)


@lru_cache(maxsize=64)
def powers(scale: float, one: int = ONE_POWER) -> Int32:
    """exp(-d * `scale`) * `one`, for a number d = 0 .. 255 below the largest: int32 [256]."""
    by = Decimal(scale)
    return _frozen([_whole(_exp(-_CONTEXT.multiply(by, Decimal(d))), one, 0, one) for d in range(256)])


def least_above(table: Int32, threshold: int) -> int:
    """The least q, -128 .. 127, whose entry in a rising table exceeds `threshold`; 128 if none does."""
    return LOW + int(np.searchsorted(table, threshold, side="right"))

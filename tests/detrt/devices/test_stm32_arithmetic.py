"""The rounding that all kernels share, against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detrt.devices.stm32.arithmetic import Quant, dequantise, quantise, rescale, rescale_of

factors = st.floats(min_value=2.0**-60, max_value=2.0**12, exclude_max=True)


@given(factors, st.integers(-(2**31), 2**31 - 1))
def test_a_rescale_rounds_once_and_halves_go_up(factor: float, sum_: int) -> None:
    fixed = rescale_of([factor])
    bound = int(fixed.largest()[0])
    sum_ = max(-bound, min(bound, sum_))
    exact = Fraction(sum_) * int(fixed.multiplier[0]) * Fraction(2) ** int(fixed.left[0] - 32 - fixed.right[0])
    assert rescale([sum_], fixed)[0] == math.floor(exact + Fraction(1, 2))


@given(factors)
def test_the_fixed_point_keeps_31_bits_of_a_factor(factor: float) -> None:
    fixed = rescale_of([factor])
    real = int(fixed.multiplier[0]) * 2.0 ** int(fixed.left[0] - 32 - fixed.right[0])
    assert abs(real - factor) <= max(factor * 2.0**-31, 2.0**-64)
    assert 0 <= fixed.multiplier[0] < 2**31 and 0 <= fixed.left[0] <= 15 and 1 <= fixed.right[0] <= 31


@pytest.mark.parametrize("factor", [0.0, -1.0, math.nan, math.inf, 2.0**12])
def test_a_factor_that_no_fixed_point_holds_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="factor"):
        rescale_of([0.5, factor])


def test_numbers_survive_the_way_to_int8_and_back() -> None:
    quant = Quant(0.037, -11)
    numbers = np.arange(-128, 128, dtype=np.int8)
    assert (quantise(dequantise(numbers, quant), quant) == numbers).all()
    assert quantise([1e9, -1e9, 0.0185], quant).tolist() == [127, -128, -10]
    with pytest.raises(ValueError, match="no number"):
        quantise([math.nan], quant)

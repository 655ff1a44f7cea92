"""Ranges from streamed batches, against plain references on all values at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from detrt.errors import DetrtError
from detrt.quant import Histogram, Observed, range_of
from detrt.quant.histogram import BINS
from detrt.quant.ranges import FLOOR, LEVELS, SHARES, divergence, square_error


def batches(seed: int, signed: bool, count: int = 4) -> list[torch.Tensor]:
    """Long-tailed values whose scale grows from batch to batch."""
    made = torch.Generator().manual_seed(seed)
    values = [torch.randn(3, 5, 17, generator=made) ** 3 * (1 + 2 * n) for n in range(count)]
    return values if signed else [value.relu() for value in values]


def streamed(values: list[torch.Tensor]) -> Histogram:
    histogram = Histogram()
    for batch in values:
        histogram.add(batch)
    return histogram


def everything(values: list[torch.Tensor]) -> np.ndarray:
    return torch.cat([value.reshape(-1) for value in values]).double().numpy()


# ---- the histogram


@given(st.lists(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=9), min_size=1, max_size=6))
@settings(max_examples=60)
def test_nothing_is_lost_however_the_range_grows(lists: list[list[float]]) -> None:
    values = [torch.tensor(numbers, dtype=torch.float32) for numbers in lists]
    histogram = streamed(values)
    plain = everything(values)
    assert (histogram.low, histogram.high, histogram.seen) == (plain.min(), plain.max(), len(plain))
    centres, counts = histogram.filled()
    assert counts.sum() == len(plain)
    if histogram.low < histogram.high:
        assert histogram.width <= 4 * (histogram.high - histogram.low) / BINS
        near = np.abs(np.sort(plain)[:, None] - centres).min(1)
        assert near.max() <= histogram.width * (0.5 + 1e-6)


@pytest.mark.parametrize("q", [0.0, 0.1, 50.0, 90.0, 99.0, 99.99, 100.0])
def test_a_percentile_is_right_to_two_bins(q: float) -> None:
    values = batches(1, signed=True)
    histogram, plain = streamed(values), everything(values)
    exact = np.percentile(plain, q, method="inverted_cdf")
    assert abs(histogram.percentile(q) - exact) <= 2 * histogram.width


# ---- methods


@pytest.mark.parametrize("signed", [True, False])
def test_min_max_is_exact_and_holds_zero(signed: bool) -> None:
    values = batches(2, signed)
    plain = everything(values)
    assert range_of(streamed(values), {"name": "minmax"}) == (min(plain.min(), 0), max(plain.max(), 0))
    assert range_of(streamed([torch.tensor([2.0, 5.0])]), {"name": "minmax"}) == (0.0, 5.0)


def test_a_percentile_cuts_both_ends() -> None:
    values = [torch.linspace(-10, 10, 20001), torch.tensor([1000.0])]
    low, high = range_of(streamed(values), {"name": "percentile", "q": 99.0})
    assert low == pytest.approx(-9.8, abs=0.6) and high == pytest.approx(9.8, abs=0.6)


def plain_square_error(values: np.ndarray, low: float, high: float) -> float:
    """Value by value."""
    scale = (high - low) / 255
    zero = math.floor(-low / scale + 0.5)
    total = 0.0
    for value in values:
        level = min(255, max(0, math.floor(value / scale + 0.5) + zero))
        total += (value - (level - zero) * scale) ** 2
    return total


def plain_divergence(centres: list[float], counts: list[float], low: float, high: float) -> float:
    """As on the slides, with lists."""
    inside = [n for n, centre in enumerate(centres) if low <= centre <= high]
    p = [counts[n] for n in inside]
    groups: dict[int, list[int]] = {}
    for place, n in enumerate(inside):
        level = min(int((centres[n] - low) / (high - low) * LEVELS), LEVELS - 1)
        groups.setdefault(level, []).append(place)
    q = [0.0] * len(p)
    for places in groups.values():
        for place in places:
            q[place] = sum(p[other] for other in places) / len(places)
    p[0] += sum(counts[n] for n, centre in enumerate(centres) if centre < low)
    p[-1] += sum(counts[n] for n, centre in enumerate(centres) if centre > high)
    return sum(
        a / sum(p) * math.log((a / sum(p)) / max(b / sum(q), FLOOR)) for a, b in zip(p, q, strict=True)
    )  # fmt: skip


@pytest.mark.parametrize("signed", [True, False])
def test_the_square_error_found_is_the_least_that_the_values_have(signed: bool) -> None:
    values = batches(3, signed)
    plain = everything(values)
    low, high = range_of(streamed(values), {"name": "mse"})
    lowest, highest = min(plain.min(), 0), max(plain.max(), 0)
    upper = min((highest * share for share in SHARES), key=lambda end: plain_square_error(plain, lowest, end))
    lower = lowest
    if lowest < 0:
        lower = min((lowest * share for share in SHARES), key=lambda end: plain_square_error(plain, end, upper))
    assert plain_square_error(plain, low, high) <= 1.02 * plain_square_error(plain, lower, upper)


@pytest.mark.parametrize("signed", [True, False])
def test_costs_equal_plain_loops_over_the_bins(signed: bool) -> None:
    histogram = streamed(batches(4, signed))
    centres, counts = histogram.filled()
    listed = centres.tolist(), counts.tolist()
    for share in (1.0, 0.5, 0.1):
        low, high = min(histogram.low, 0.0) * share, histogram.high * share
        assert divergence(centres, counts, low, high) == pytest.approx(plain_divergence(*listed, low, high), rel=1e-9)
        expected = sum(n * plain_square_error(np.array([c]), low, high) for c, n in zip(*listed, strict=True))
        assert square_error(centres, counts, low, high) == pytest.approx(expected, rel=1e-9)


def test_entropy_cuts_outliers_and_keeps_what_is_evenly_spread() -> None:
    made = torch.Generator().manual_seed(5)
    many = torch.randn(200_000, generator=made)
    assert range_of(streamed([many, torch.tensor([300.0])]), {"name": "entropy"})[1] < 100
    assert range_of(streamed([many, torch.tensor([20.0])]), {"name": "mse"})[1] < 20
    assert range_of(streamed([torch.rand(100_000, generator=made)]), {"name": "entropy"})[1] > 0.95


# ---- what may come


@pytest.mark.parametrize("name", ["minmax", "percentile", "entropy", "mse"])
@pytest.mark.parametrize("value", [0.0, 3.0, -2.5])
def test_a_constant_tensor_has_the_range_from_zero_to_it(name: str, value: float) -> None:
    histogram = streamed([torch.full((4,), value), torch.full((2, 2), value)])
    assert range_of(histogram, {"name": name, "q": 99.0}) == (min(value, 0.0), max(value, 0.0))


def test_a_constant_that_changes_at_last_is_counted_from_its_beginning() -> None:
    histogram = streamed([torch.full((6,), 1.0), torch.tensor([3.0])])
    assert histogram.filled()[1].tolist() == [6, 1]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_named(bad: float) -> None:
    seen = Observed(["good", "bad"], [{"name": "mse", "q": None}])
    seen.look("good", torch.ones(3))
    seen.look("bad", torch.tensor([1.0, bad]))
    seen.look("other", torch.tensor([bad]))
    with pytest.raises(DetrtError, match=r"`bad` holds (NaN|infinity)"):
        seen.ranges()


def test_no_pictures_are_no_calibration() -> None:
    with pytest.raises(DetrtError, match="no pictures to calibrate on"):
        Observed(["a", "b"], [{"name": "minmax"}]).ranges()


def test_several_ways_are_read_off_one_pass() -> None:
    trials = [{"name": "percentile", "q": q} for q in (90.0, 99.0, 100.0)]
    seen = Observed(["a"], trials)
    for batch in batches(6, signed=False):
        seen.look("a", batch)
    highs = [ranges["a"][1] for ranges in seen.ranges()]
    assert highs == sorted(highs) and highs[0] < highs[2]

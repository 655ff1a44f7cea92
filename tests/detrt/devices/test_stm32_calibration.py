"""Ranges, evened-out layers and corrected biases of random nets, and one step at a time in int8."""

from __future__ import annotations

import math

import pytest
import torch
from int8_nets import SEEDS, Case, random_net

from detrt.devices.stm32.calibration import correct_bias, equalize, measure_ranges
from detrt.devices.stm32.plan import plan_of
from detrt.devices.stm32.quants import ranges_of
from detrt.devices.stm32.sensitivity import one_by_one
from detrt.errors import DetrtError

MINMAX = [{"name": "minmax", "q": None}]


def batches(case: Case, count: int = 3) -> list[torch.Tensor]:
    return [case.encoded(case.pictures(2, seed)) for seed in range(count)]


def outputs(found: object) -> list[torch.Tensor]:
    if isinstance(found, torch.Tensor):
        return [found]
    assert isinstance(found, dict)
    return [t for value in found.values() for t in (value if isinstance(value, list) else [value])]


@pytest.mark.parametrize("seed", SEEDS[:12])
def test_ranges_are_those_of_the_float_net(seed: int) -> None:
    case = random_net(seed)
    found = ranges_of(measure_ranges(case.model, case.lock, batches(case), MINMAX)[0])
    with torch.no_grad():
        whole = case.model.values(torch.cat(batches(case)))
    plan = plan_of(case.lock["plan"])
    assert set(found) == {name for name, _ in plan.quants()}
    for name, (low, high) in found.items():
        wanted = min(float(whole[name].min()), 0.0), max(float(whole[name].max()), 0.0)
        assert (low, high) == pytest.approx(wanted, rel=1e-4, abs=1e-4 * max(1.0, *map(abs, wanted))), name


@pytest.mark.parametrize("seed", SEEDS[:12])
def test_an_evened_out_net_computes_the_same(seed: int) -> None:
    case = random_net(seed)
    frame = batches(case, 1)[0]
    with torch.no_grad():
        before = outputs(case.model(frame))
        pairs = equalize(case.model, case.lock)
        after = outputs(case.model(frame))
    assert pairs >= 0
    for one, other in zip(before, after, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-3 * max(1.0, float(one.abs().max())))


def test_some_nets_have_pairs() -> None:
    assert sum(equalize(case.model, case.lock) for case in map(random_net, SEEDS[:12])) > 3


@pytest.mark.parametrize("seed", SEEDS[:4])
def test_bias_correction_moves_biases_alone(seed: int) -> None:
    case = random_net(seed)
    before = {key: value.clone() for key, value in case.model.state_dict().items()}
    assert correct_bias(case.model, case.lock, batches(case)) > 0
    moved = {key for key, value in case.model.state_dict().items() if not torch.equal(value, before[key])}
    assert moved and all(key.endswith(".bias") for key in moved)


def test_one_step_at_a_time_is_near_the_float_net(seed: int = 3) -> None:
    case = random_net(seed)
    caps = measure_ranges(case.model, case.lock, batches(case), MINMAX)[0]
    frame = batches(case, 1)[0]
    nets = list(one_by_one(case.model, case.lock, caps))
    with torch.no_grad():
        exact = outputs(case.model(frame))
    assert nets[0][0]["name"] == "" and len(nets) > 3
    for number, (_, net) in enumerate(nets):
        for one, other in zip(outputs(net(frame)), exact, strict=True):
            off = float((one - other).abs().max()) / max(1e-6, float(other.abs().max()))
            assert off < 1e-4 if number == 0 else off < 0.2


def test_no_pictures_and_no_numbers_are_refused() -> None:
    case = random_net(1)
    with pytest.raises(DetrtError, match="no pictures to calibrate on"):
        measure_ranges(case.model, case.lock, [], MINMAX)
    with pytest.raises(DetrtError, match="no pictures to correct"):
        correct_bias(case.model, case.lock, [])
    with torch.no_grad():
        next(case.model.parameters()).view(-1)[0] = math.nan
    with pytest.raises(DetrtError, match="holds NaN"):
        measure_ranges(case.model, case.lock, batches(case), MINMAX)

"""From weights and ranges to whole numbers: exact values, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from int8_nets import Case, random_net  # noqa: E402

from detrt.devices.stm32.arithmetic import Quant, dequantise  # noqa: E402
from detrt.devices.stm32.checking import overflowing  # noqa: E402
from detrt.devices.stm32.entry import entry_of  # noqa: E402
from detrt.devices.stm32.folding import normed, on_grid  # noqa: E402
from detrt.devices.stm32.functions import requantising, table  # noqa: E402
from detrt.devices.stm32.plan import Activation, plan_of  # noqa: E402
from detrt.devices.stm32.program import Conv, Program  # noqa: E402
from detrt.devices.stm32.quantising import add_multipliers, quantised  # noqa: E402
from detrt.devices.stm32.quants import caps_of, quant_of, ranges_of  # noqa: E402
from detrt.devices.stm32.simulator import simulate  # noqa: E402
from detrt.errors import DetrtError  # noqa: E402

reals = st.floats(-1e6, 1e6)


def made(case: Case, **changes: Any) -> Program:
    model = case.lock["model"]
    given = {"state": case.model.state_dict(), "ranges": case.ranges, "model_input": model["input"], **changes}
    return quantised(case.lock["plan"], given["state"], given["ranges"], given["model_input"])


@given(reals, reals)
def test_a_quant_covers_its_range_and_has_an_exact_zero(one: float, other: float) -> None:
    low, high = sorted((one, other))
    quant = quant_of((low, high))
    assert np.float32(quant.scale) == quant.scale and dequantise([quant.zero], quant)[0] == 0.0
    ends = (np.array([-128, 127]) - quant.zero) * quant.scale
    if quant.scale != 1.0:
        assert ends[0] <= min(low, 0) + 0.51 * quant.scale and ends[1] >= max(high, 0) - 0.51 * quant.scale


def test_ranges_are_kept_in_checkpoints_as_ends() -> None:
    ranges = {"a.before": (-0.1, 2.0), "a": (0.0, 3.0)}
    assert ranges_of(caps_of(ranges)) == ranges
    for caps in ({"a.low": 1.0}, {"a": 1.0}):
        with pytest.raises(DetrtError, match="`a`"):
            ranges_of(caps)


@pytest.mark.parametrize(
    ("range_", "says"),
    [
        ((math.nan, 1.0), "NaN"),
        ((0.0, math.inf), "run away"),
        ((2.0, 1.0), "above its end"),
        ((-1e38, 1e38), "run away"),
        (None, "no range"),
    ],
)
def test_ranges_that_hold_no_numbers_are_refused_by_name_all_at_once(range_: Any, says: str) -> None:
    case = random_net(0)
    names = list(case.ranges)[:2]
    ranges = {
        name: range_ if name in names else old for name, old in case.ranges.items() if range_ or name not in names
    }
    with pytest.raises(DetrtError, match=says) as error:
        made(case, ranges=ranges)
    assert all(f"`{name}`" in str(error.value) for name in names) and "random.det:" in str(error.value)
    assert "calibration" in error.value.remedy
    with pytest.raises(DetrtError, match="nothing was calibrated"):
        made(case, ranges={})


def test_a_layer_that_only_ever_gave_zero_has_steps_of_one() -> None:
    assert quant_of((0.0, 0.0)) == Quant(1.0, -128)


def test_weights_have_a_scale_a_channel_and_biases_that_of_the_sums() -> None:
    weight = torch.tensor([[127 / 64, -1.5 / 64, 0.5 / 64], [0.0, 0.0, 0.0], [1e-9, 0.0, 0.0]], dtype=torch.float64)
    grid = on_grid(weight, torch.tensor([0.1, -3.0, 5.0], dtype=torch.float64), 0.5)
    assert grid.whole_weight[0].tolist() == [127, -1, 1]  # halves up
    assert grid.whole_bias[0] == 13 and grid.scales[0] == 1 / 64
    real = grid.whole_bias * 0.5 * grid.scales  # biases beside weights of nothing keep their value
    assert real[1:].numpy() == pytest.approx([-3.0, 5.0], rel=1e-6) and grid.whole_bias.abs().max() <= 2**28
    assert (on_grid(weight * 0, torch.zeros(3, dtype=torch.float64), 0.5).scales == 1).all()


def test_the_length_of_weight_normed_filters_has_no_order_of_summation() -> None:
    v = torch.randn(4, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    g = torch.rand(4, 1, 1, 1) + 0.5
    flipped = normed(v.flip(1), g).flip(1)
    assert torch.equal(normed(v, g), flipped)
    lengths = normed(v, g).square().sum((1, 2, 3)).sqrt()
    torch.testing.assert_close(lengths, g.double().flatten())


def test_tables_are_the_functions_of_what_numbers_stand_for() -> None:
    before, after = Quant(0.05, -10), Quant(0.02, -128)
    numbers = table(Activation("sigmoid"), before, Quant(1 / 256, -128))
    assert numbers[-10 + 128] == 0 and numbers[0] == round(256 / (1 + math.exp(118 * 0.05))) - 128
    assert requantising(before, before).tolist() == list(range(-128, 128))
    assert table(Activation("relu", (1.0,)), before, after).tolist()[::64] == [-128, -128, -103, -78]
    with pytest.raises(DetrtError, match="softmax"):
        table(Activation("softmax"), before, after)


@given(st.floats(1e-4, 1e4), st.floats(1e-4, 1e4), st.floats(1e-2, 1e4))
def test_sums_of_two_fit_into_32_bits(one: float, other: float, after: float) -> None:
    try:
        pair, shift = add_multipliers(Quant(one, 0), Quant(other, 0), Quant(after, 0))
    except ValueError:
        assert (one + other) / after > 2**21
        return
    assert 255 * sum(pair) + (1 << (shift - 1)) < 2**31 and sum(pair) < 2**23
    for scale, factor in zip((one, other), pair, strict=True):
        assert abs(factor / 2**shift - scale / after) <= 2.0**-shift


@pytest.mark.parametrize(
    ("encoding", "quant", "rests"),
    [
        ({"scale": 255.0}, (1 / 255, -128), 0.0),
        ({"scale": 1.0, "mean": [127.0] * 3, "std": [128.0] * 3}, (1 / 128, -1), 0.0),
        ({"scale": 255.0, "mean": [127 / 255] * 3, "std": [0.5] * 3}, (2 / 255, -1), 0.0),
        ({"scale": 127.5, "offset": -1.0}, (1 / 127.5, 0), 0.5),
    ],
)
def test_one_gain_and_one_whole_zero_are_the_inputs_quant(encoding: Any, quant: Any, rests: float) -> None:
    entry = entry_of({"shape": [3, 8, 8], "encoding": {"kind": "affine", **encoding}})
    assert entry.quant == Quant(float(np.float32(quant[0])), quant[1]) and entry.plain == (rests == 0)
    assert entry.rests == (rests,) * 3


@pytest.mark.parametrize("seed", [3, 2])
def test_an_encoding_that_differs_by_channel_is_absorbed_without_a_rounding(seed: int) -> None:
    """Without padding, doubling the gains of the picture and halving the first weights changes no whole number."""
    case = random_net(seed)
    first = case.lock["plan"]["steps"][0]
    weight = case.model.state_dict()[f"{first['module']}.weight"]
    encoding = case.lock["model"]["input"]["encoding"]
    other = {**case.lock["model"]["input"], "encoding": {**encoding, "std": [s / 2 for s in encoding["std"]]}}
    state = {**case.model.state_dict(), f"{first['module']}.weight": weight / 2}
    one, two = made(case), made(case, state=state, model_input=other)
    picture = case.pictures(1)[0]
    assert all(
        np.array_equal(a, b)
        for a, b in zip(simulate(one, picture)["grid"], simulate(two, picture)["grid"], strict=True)
    )


@pytest.mark.parametrize(
    ("encoding", "says"),
    [
        ({"kind": "u5"}, "takes bytes"),
        ({"std": [0.0] * 3}, "encode no picture"),
        ({"mean": [math.nan] * 3}, "encode no picture"),
        ({"scale": 255.0, "offset": 1.0}, "pads with 0.0"),
    ],
)
def test_encodings_that_no_byte_enters_by_are_refused(encoding: Any, says: str) -> None:
    case = next(
        c
        for c in map(random_net, range(60))
        if c.lock["model"]["input"]["shape"][0] == 3 and any(c.lock["plan"]["steps"][0].get("pad", []))
    )
    given = {**case.lock["model"]["input"], "encoding": {"kind": "affine", **encoding}}
    with pytest.raises(DetrtError, match=says) as error:
        made(case, model_input=given)
    assert "model.input" in error.value.place


def test_a_layer_that_could_overflow_is_named_with_its_channel() -> None:
    step = next(s for s in made(random_net(0)).steps if isinstance(s, Conv))
    assert not overflowing(step)
    assert "channel 1" in overflowing(
        replace(step, bias=np.array([0, 2**31 - 1, *[0] * (len(step.bias) - 2)], np.int32))
    )


@pytest.mark.parametrize("spoil", [math.nan, math.inf, None, 1e30, "shape"])
def test_weights_that_no_program_can_hold_are_refused_by_layer(spoil: Any) -> None:
    case = random_net(1)
    step = case.lock["plan"]["steps"][0]
    key = f"{step['module']}.weight"
    state = {k: v.clone() for k, v in case.model.state_dict().items() if spoil is not None or k != key}
    if spoil == "shape":
        state[key] = state[key][:, :, :1]
    elif spoil is not None:
        state[key][0] = spoil
    with pytest.raises(DetrtError) as error:
        made(case, state=state)
    assert f"`{step['name']}` (random.det:1)" in str(error.value)


def test_a_range_far_below_what_a_layer_gives_is_refused_by_layer() -> None:
    case = random_net(5)
    ranges = {name: (0.0, 1e-20) for name in case.ranges}
    with pytest.raises(DetrtError, match=r"random.det:\d+\): one step of its .* far too narrow"):
        made(case, ranges=ranges)


@pytest.mark.parametrize(
    "damage", [{"schema": 2}, {"input": "nothing"}, {"outputs": {"grid": ["nothing"]}}, {"steps": [{}]}, {"tensors": 3}]
)
def test_a_damaged_plan_is_refused(damage: dict[str, Any]) -> None:
    plan = {**random_net(0).lock["plan"], **damage}
    with pytest.raises(DetrtError, match="damaged"):
        plan_of(plan)

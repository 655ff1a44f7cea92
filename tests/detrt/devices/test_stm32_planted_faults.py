"""The equality tests can see: each planted fault makes some pair of the chain disagree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from int8_nets import Case, random_net, wide_net  # noqa: E402
from test_stm32_one_arithmetic import equal, made, nearly_white, simulated, stage, torch_tensors  # noqa: E402

from detrt.devices.stm32 import fakequant, kernels, program_file, simulator  # noqa: E402
from detrt.devices.stm32.program import Shuffle, Step  # noqa: E402
from detrt.errors import DetrtError  # noqa: E402

pytestmark = pytest.mark.long
Patch = pytest.MonkeyPatch
SEEDS = range(30)


@cache
def case_of(seed: int) -> Case:
    return random_net(seed)


def agree(seed: int, folder: Path) -> bool:
    """True if torch stage, simulator and files agree at every tensor of one random net."""
    case = case_of(seed)
    picture = case.pictures(1, seed + 1000)[0]
    try:
        program = made(case)
        program_file.save_program(program, folder)
        tensors = simulated(program_file.load_program(folder), picture)
    except (DetrtError, ValueError):  # maps of another size
        return False
    return equal(torch_tensors(stage(case), case, picture), tensors)


def around(module: Any, name: str, change: Callable[..., Any]) -> Callable[[Patch], None]:
    """A fault: module.name becomes change(original, *arguments)."""

    def plant(patch: Patch) -> None:
        original = getattr(module, name)
        patch.setattr(module, name, lambda *args, **options: change(original, *args, **options))

    return plant


def setting(module: Any, name: str, value: Any) -> Callable[[Patch], None]:
    """A fault: module.name becomes `value`."""
    return lambda patch: patch.setattr(module, name, value)


def with_step(change: Callable[[Any], Step], *kinds: str) -> Callable[[Patch], None]:
    """A fault in the simulator's reading of the steps of some kinds."""

    def run(original: Any, step: Step, *rest: Any) -> Any:
        return original(change(step) if type(step).__name__ in kinds else step, *rest)

    return around(simulator, "run", run)


def rescaled(change: Callable[[Any, Any], Any]) -> Callable[[Patch], None]:
    return around(kernels, "rescale", lambda original, sums, factors: change(np.asarray(sums, np.int64), factors))


def halves_down(sums: Any, factors: Any) -> Any:
    right = factors.right.astype(np.int64)
    wide = (sums << factors.left) * factors.multiplier  # exact: the test's sums are small
    return -((-wide + (np.int64(1) << (31 + right))) >> (32 + right))


def rounded_twice(sums: Any, factors: Any) -> Any:
    high = ((sums << factors.left) * factors.multiplier + (1 << 31)) >> 32
    right = factors.right.astype(np.int64)
    return (high + (np.int64(1) << (right - 1))) >> right


def add_down(original: Any, step: Any, x: Any, y: Any, zeros: Any, zero_out: int) -> Any:
    one, other = ((v.astype(int) - zero) * m for v, zero, m in zip((x, y), zeros, step.multipliers, strict=True))
    return kernels.saturate(((one + other) >> step.shift) + zero_out, step.low, step.high)


def shuffled_back(step: Any, x: Any) -> Any:
    return kernels.shuffle(replace(step, groups=x.shape[-1] // step.groups), x)


def shifted_tables(original: Any, number: int, step: Step, arrays: dict[str, Any]) -> Any:
    written = original(number, step, arrays)
    arrays.update({key: np.roll(arrays[key], 1) for key in arrays if key.endswith(".table")})
    return written


def rounded_to_even(sums: Any, fixed: Any) -> Any:
    factor = np.ldexp(fixed.multiplier.astype(float), fixed.left - 32 - fixed.right)
    return torch.round(sums.double() * fakequant.channelwise(torch.from_numpy(factor), sums))


CONVS = ("Conv", "Depthwise")
SUMS = (*CONVS, "Dense")

FAULTS: dict[str, Callable[[Patch], None]] = {
    "halves round down": rescaled(halves_down),
    "a rescale rounds twice": rescaled(rounded_twice),
    "a rescale cuts off": rescaled(lambda s, f: ((s << f.left) * f.multiplier) >> (32 + f.right.astype(np.int64))),
    "padding is the number 0": around(
        kernels, "_bordered", lambda f, x, pad, fill: f(x, pad, 0 if fill > -128 else fill)
    ),
    "a max pool pads with the zero": around(
        kernels, "max_pool", lambda f, step, x: f(replace(step, pad=(0, 0, 0, 0)), kernels._bordered(x, step.pad, 100))
    ),
    "the output's zero is one too large": around(
        kernels, "conv", lambda f, step, x, zin, zout: f(step, x, zin, zout + 1)
    ),
    "the input's zero is forgotten": around(kernels, "conv", lambda f, step, x, zin, zout: f(step, x, 0, zout)),
    "a ReLU lets negative numbers through": with_step(lambda s: replace(s, low=-128), *SUMS),
    "the largest number is 126": with_step(lambda s: replace(s, high=min(s.high, 126)), *SUMS),
    "biases lose their sign": with_step(lambda s: replace(s, bias=np.abs(s.bias)), *SUMS),
    "biases are off by one": with_step(lambda s: replace(s, bias=s.bias + 1), *SUMS),
    "kernels are flipped": with_step(lambda s: replace(s, weight=s.weight[..., ::-1, ::-1, :]), "Conv"),
    "depthwise kernels are flipped": with_step(lambda s: replace(s, weight=s.weight[::-1, ::-1]), "Depthwise"),
    "input channels are reversed": with_step(lambda s: replace(s, weight=s.weight[..., ::-1]), "Conv"),
    "groups are read in the other order": around(
        kernels,
        "conv",
        lambda f, step, x, *zeros: f(step, x if step.groups == 1 else np.ascontiguousarray(x[..., ::-1]), *zeros),
    ),
    "rows and columns of a dilation are swapped": with_step(lambda s: replace(s, dilation=s.dilation[::-1]), *CONVS),
    "tables begin one later": around(kernels, "looked_up", lambda f, t, x: f(None if t is None else np.roll(t, -1), x)),
    "a mean counts one more": around(
        kernels, "average_pool", lambda f, step, x, zin, zout: f(step, x, zin, zout) - (x.shape[0] > 3)
    ),
    "a sum of two rounds down": around(kernels, "add", add_down),
    "a product forgets a zero": around(
        kernels, "mul", lambda f, step, x, y, zeros, zout: f(step, x, y, (zeros[0], 0), zout)
    ),
    "bilinear pixels lie at corners": around(
        kernels, "bilinear_taps", lambda f, size, factor: (f(size, factor)[0], f(size, factor)[0], f(size, factor)[2])
    ),
    "a shuffle goes the other way": lambda patch: patch.setitem(kernels._MOVING, Shuffle, shuffled_back),
    "blocks are cut by columns": with_step(
        lambda s: replace(s, order=tuple((q, r) for r, q in s.order)), "SpaceToDepth"
    ),
    "every second channel is every one": with_step(lambda s: replace(s, every=1), "Channels"),
    "a picture enters without its offset": around(
        simulator.Simulator, "run", lambda f, self, picture, trace=None: f(self, picture ^ 0x80, trace)
    ),
    "files hold tables shifted by one": around(program_file, "_written", shifted_tables),
    "torch rounds half to even": setting(fakequant, "_rescaled", rounded_to_even),
    "torch leaves the columns of a dense layer": setting(fakequant, "memory_order", lambda weight, step: weight),
    "torch floors the bytes of a picture": setting(fakequant, "nearest", torch.floor),
}


def test_without_a_fault_they_agree(tmp_path: Path) -> None:
    assert all(agree(seed, tmp_path) for seed in SEEDS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault: str, monkeypatch: Patch, tmp_path: Path) -> None:
    FAULTS[fault](monkeypatch)
    assert not all(agree(seed, tmp_path) for seed in SEEDS)


def test_sums_in_too_few_bits_are_caught(monkeypatch: Patch) -> None:
    case = wide_net()
    program = made(case)
    monkeypatch.setattr(fakequant, "EXACT_FLOAT32", 2**40)
    model = stage(case)
    assert not all(equal(torch_tensors(model, case, p), simulated(program, p)) for p in nearly_white(8))

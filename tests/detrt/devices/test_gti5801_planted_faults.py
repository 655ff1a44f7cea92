"""The equality tests can see: each planted fault makes some pair of the chain disagree, or breaks the vendor's own numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from test_gti5801_one_arithmetic import chip_layers, chip_stage, equal, pictures, torch_layers  # noqa: E402

from detrt.devices.gti5801 import arithmetic, chain, chipdat, fakequant, from_checkpoint, records, simulator  # noqa: E402
from detrt.devices.gti5801.errors import DeviceError  # noqa: E402
from detrt.devices.gti5801.network import ChipNetwork, Sublayer  # noqa: E402

Patch = pytest.MonkeyPatch
SEEDS = range(24)


def agree(seed: int) -> bool:
    """True if torch model, simulator and file agree at every layer of one random net."""
    model, lock = chip_stage(seed, norms=seed % 5 == 0)
    network, _ = from_checkpoint.network_from_checkpoint(chain.read_plan(lock), model.state_dict())
    try:
        back = chipdat.decode(chipdat.encode(network))
    except DeviceError:
        return False
    pixels = pictures(lock, 1, seed + 1000)[0]
    layers = torch_layers(model, lock, pixels)
    return equal(layers, chip_layers(network, pixels)) and equal(layers, chip_layers(back, pixels))


def around(patch: Patch, module: Any, name: str, change: Callable[..., Any]) -> None:
    """Replaces module.name by change(original, *arguments)."""
    original = getattr(module, name)
    patch.setattr(module, name, lambda *args, **options: change(original, *args, **options))


def with_layer(change: Callable[[Sublayer], Sublayer]) -> Callable[[Patch], None]:
    """A fault in the simulator's reading of every sublayer."""
    return lambda patch: around(patch, simulator, "_convolve", lambda f, x, kind, layer: f(x, kind, change(layer)))


def ties_down(patch: Patch) -> None:
    def activate(original: Any, sums: Any, shift: int, levels: int = 31) -> Any:
        return original(sums - sums.dtype.type(2.0**-8), shift, levels)

    around(patch, simulator, "_activate", activate)


def cap_30(patch: Patch) -> None:
    around(patch, simulator, "_activate", lambda f, sums, shift, levels=31: np.minimum(f(sums, shift, levels), 30))


def shift_plus_one(patch: Patch) -> None:
    around(patch, simulator, "_activate", lambda f, sums, shift, levels=31: f(sums, shift + 1, levels))


def pad_repeats_the_edge(patch: Patch) -> None:
    def convolve(original: Any, x: Any, kind: str, layer: Sublayer) -> Any:
        if kind == "pointwise":
            return original(x, kind, layer)
        return original(np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge"), kind, layer)[:, 1:-1, 1:-1]

    around(patch, simulator, "_convolve", convolve)


def pool_from_the_second(patch: Patch) -> None:
    around(patch, simulator, "_pool", lambda f, x, sampling: x[:, 1::2, 1::2] if sampling else f(x, sampling))


def pool_always_samples(patch: Patch) -> None:
    around(patch, simulator, "_pool", lambda f, x, sampling: f(x, True))


def input_truncates(patch: Patch) -> None:
    patch.setattr(simulator, "quantize_input", lambda pixels: pixels >> 3)


def engines_turn_the_other_way(patch: Patch) -> None:
    def inputs_of(inputs: int) -> Any:
        q = np.arange(inputs)
        return q // 4 * 4 + (np.arange(4)[:, None] + q) % 4

    original = records.unpack

    def unpack(*args: Any) -> Any:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(records, "_inputs_of", inputs_of)
            return original(*args)

    patch.setattr(chipdat, "unpack", unpack)


def code_three_is_three(patch: Patch) -> None:
    original = records._unpack_codes

    def unpack(data: Any, bits: int) -> Any:
        kernels = original(data, bits)
        return np.where(np.abs(kernels) % 4 == 0, kernels // 4 * 3, kernels).astype(np.int16) if bits == 3 else kernels

    patch.setattr(records, "_unpack_codes", unpack)


def zero_bias_is_a_number(patch: Patch) -> None:
    patch.setattr(records, "BIAS_ZERO", 0x80001)
    around(patch, records, "_bias_fields", lambda f, bias, padded: np.where(f(bias, padded) == 1, 0, f(bias, padded)))


def shortcut_without_shift(patch: Patch) -> None:
    def run(original: Any, network: ChipNetwork, pixels: Any, trace: Any = None) -> Any:
        majors = tuple(replace(m, shape=replace(m.shape, shortcuts=())) for m in network.majors)
        return original(replace(network, majors=majors), pixels, trace)

    import test_gti5801_one_arithmetic as tests

    around(patch, tests, "simulate", run)


def steps_are_larger(patch: Patch) -> None:
    around(patch, fakequant, "quantize_layer", lambda f, w, b, bits: f(w * 1.01 if bits == 3 else w, b, bits))


def torch_rounds_half_to_even(patch: Patch) -> None:
    def relu(x: Any, cap: float, levels: int) -> Any:
        return torch.round(x.clamp(0, cap) * levels / cap) * cap / levels

    patch.setattr(fakequant, "quantize_relu", relu)


def torch_shift_ignores_the_bias(patch: Patch) -> None:
    def quantize(weight: Any, bias: Any, bits: int) -> Any:
        layer = arithmetic.quantize_layer(weight, None, bits)
        scale = 2.0**layer.shift
        return replace(layer, bias=arithmetic.round_half_away(bias * scale) / scale)

    patch.setattr(fakequant, "quantize_layer", quantize)


FAULTS: dict[str, Callable[[Patch], None]] = {
    "rounding ties go down": ties_down,
    "the cap is 30": cap_30,
    "the shift is one too large": shift_plus_one,
    "padding repeats the edge": pad_repeats_the_edge,
    "kernels are flipped": with_layer(lambda s: replace(s, weight=s.weight[:, :, ::-1, ::-1])),
    "kernels are transposed": with_layer(lambda s: replace(s, weight=s.weight.swapaxes(2, 3))),
    "biases lose their sign": with_layer(lambda s: replace(s, bias=np.abs(s.bias))),
    "one bias is off by one": with_layer(lambda s: replace(s, bias=s.bias + 1)),
    "inputs are reversed": with_layer(lambda s: replace(s, weight=s.weight[:, ::-1])),
    "sampling starts at 1": pool_from_the_second,
    "max pooling samples": pool_always_samples,
    "the input step truncates": input_truncates,
    "engines rotate the other way": engines_turn_the_other_way,
    "code 3 means 3 steps": code_three_is_three,
    "a zero bias is taken for a number": zero_bias_is_a_number,
    "shortcuts are forgotten": shortcut_without_shift,
    "torch takes steps 1 % larger": steps_are_larger,
    "torch rounds half to even": torch_rounds_half_to_even,
    "torch's shift ignores the bias": torch_shift_ignores_the_bias,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault: str, monkeypatch: Patch) -> None:
    FAULTS[fault](monkeypatch)
    assert not all(agree(seed) for seed in SEEDS)

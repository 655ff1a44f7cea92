"""The simulator's fast sums against the plainest loop in whole numbers, and its files on paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detrt.devices.gti5801.arithmetic import quantize_input
from detrt.devices.gti5801.chipdat import encode
from detrt.devices.gti5801.errors import DeviceError
from detrt.devices.gti5801.files import host_yaml, json_text, model_json
from detrt.devices.gti5801.network import ChipNetwork, Major, MajorShape, Sublayer
from detrt.devices.gti5801.simulator import EXACT_FLOAT32, accumulator_bound, simulate
from detrt.devices.gti5801.vendor_json import dat_json


def plainly(x: Any, kind: str, layer: Sublayer) -> Any:
    """One layer by loops over taps and channels in int64, rounding half away from zero by hand."""
    channels, size, _ = x.shape
    side = layer.weight.shape[-1]
    padded = np.pad(x.astype(np.int64), ((0, 0), (side // 2,) * 2, (side // 2,) * 2))
    sums = np.empty((len(layer.weight), size, size), np.int64)
    for o, (kernels, bias) in enumerate(zip(layer.weight.astype(np.int64), layer.bias.astype(np.int64), strict=True)):
        sums[o] = bias
        for i in range(channels):
            if kind == "depthwise" and i != o:
                continue
            for dy in range(side):
                for dx in range(side):
                    tap = kernels[0 if kind == "depthwise" else i, dy, dx]
                    sums[o] += tap * padded[i, dy : dy + size, dx : dx + size]
    return rounded(sums, layer.shift)


def rounded(sums: Any, shift: int) -> Any:
    half = (1 << shift) >> 1
    values = np.where(sums >= 0, (sums + half) >> shift, -((-sums + half) >> shift))
    return np.clip(values, 0, 31)


def one_layer(kinds: tuple[Any, ...], layers: list[Sublayer]) -> ChipNetwork:
    inputs = layers[0].weight.shape[0 if kinds[0] == "depthwise" else 1]
    return ChipNetwork((Major(MajorShape(14, inputs, len(layers[-1].weight), 8, kinds), tuple(layers)),))


@given(st.integers(0, 10_000), st.integers(0, 12))
def test_fast_sums_are_plain_sums(seed: int, shift: int) -> None:
    rng = np.random.default_rng(seed)
    kinds: tuple[Any, ...] = [("conv3x3",), ("pointwise",), ("depthwise", "pointwise")][seed % 3]
    layers = []
    for kind in kinds:
        size = {"conv3x3": (8, 8, 3, 3), "pointwise": (8, 8, 1, 1), "depthwise": (8, 1, 3, 3)}[kind]
        bias = (
            rng.integers(-(2**19) + 1, 2**19, 8)
            if seed % 2
            else rng.integers(-(31 << shift), 31 << shift, 8, endpoint=True)
        )
        layers.append(Sublayer(rng.integers(-128, 128, size).astype(np.int16), bias.astype(np.int32), shift))
    network = one_layer(kinds, layers)
    pixels = rng.integers(0, 256, (8, 14, 14), dtype=np.uint8)
    x = quantize_input(pixels)
    for kind, layer in zip(kinds, layers, strict=True):
        x = plainly(x, kind, layer)
    assert np.array_equal(simulate(network, pixels), x)


def test_sums_beyond_float32_are_exact_too() -> None:
    """Partial sums of 2^24 and more, with a result of a few units: float32 would lose them."""
    rng = np.random.default_rng(0)
    weight = np.full((8, 1024, 3, 3), 127, np.int16)
    weight[:, ::2] *= -1
    weight[:, 0] += rng.integers(0, 2, (8, 3, 3), dtype=np.int16)
    layer = Sublayer(weight, np.arange(8, dtype=np.int32), 0)
    assert accumulator_bound(layer) >= EXACT_FLOAT32
    pixels = np.full((1024, 14, 14), 255, np.uint8)
    assert np.array_equal(
        simulate(one_layer(("conv3x3",), [layer]), pixels), plainly(quantize_input(pixels), "conv3x3", layer)
    )


@pytest.mark.parametrize("make", [lambda: np.zeros((3, 14, 14), np.uint8), lambda: np.zeros((8, 14, 14), np.int16)])
def test_other_pictures_are_refused(make: Callable[[], Any]) -> None:
    layer = Sublayer(np.zeros((8, 8, 3, 3), np.int16), np.zeros(8, np.int32), 0)
    with pytest.raises(DeviceError, match="the network takes"):
        simulate(one_layer(("conv3x3",), [layer]), make())


def worked_example() -> ChipNetwork:
    """3 bits, pooled, then 8 bits with a shortcut: small numbers that can be followed by hand."""
    ramp = np.arange(9).reshape(3, 3) % 3
    three = np.zeros((8, 3, 3, 3), np.int16)
    three[:] = np.array([0, 5, -20])[ramp]
    three[1] = 0
    eight = np.zeros((8, 8, 3, 3), np.int16)
    eight[np.arange(8), np.arange(8), 1, 1] = np.arange(-4, 4) * 32
    majors = (
        Major(
            MajorShape(28, 3, 8, 3, ("conv3x3",), pooling=True), (Sublayer(three, np.arange(-4, 4, dtype=np.int32), 5),)
        ),
        Major(
            MajorShape(14, 8, 8, 8, ("conv3x3",) * 3, shortcuts=(1,)),
            tuple(Sublayer(eight, np.full(8, 7, np.int32), 6 + n) for n in range(3)),
        ),
    )
    return ChipNetwork(majors)


def test_a_chip_dat_on_paper(golden: Callable[[str, str], None]) -> None:
    data = np.frombuffer(encode(worked_example()), np.uint8)
    words = data[:148].view("<u4")
    lines = [f"{len(data)} bytes", "", "header, 37 words"]
    lines += [f"  {n:2}  {word:08x}" for n, word in enumerate(words) if word]
    records = data[148 : 148 + 12 * (2 * 4 * 2 + 3 * 2 * 4 * 8)].reshape(-1, 12)
    lines += ["", "records that are not empty: weights, bias field"]
    for n, record in enumerate(records):
        if record.any():
            lines.append(f"  {n:3}  {record[:9].tobytes().hex(' ')}  {record[9:].tobytes().hex(' ')}")
    golden("devices/chip_dat.txt", "\n".join(lines))


def test_the_text_files_on_paper(golden: Callable[[str, str], None]) -> None:
    network = worked_example()
    names = ["red cell", "white 'cell'", 'platelet "x"']
    thresholds = {"conf": 0.1, "score": 0.2, "nms": 0.5}
    resize = {"mode": "stretch", "interpolation": "bilinear"}
    yaml = host_yaml(name="cells", size=28, order="bgr", resize=resize, cap=1.25, names=names, **thresholds)
    parts = {
        "dat.json": json_text(dat_json(network)),
        "model.json": json_text(model_json(network, "chip.dat", "cells")),
    }
    text = "\n\n".join(f"=== {name}\n{content}" for name, content in {**parts, "GNetDet.yaml": yaml}.items())
    golden("devices/text_files.txt", text)

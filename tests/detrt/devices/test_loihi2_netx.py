"""netx, lava's own simulator of the chip, computes what the integer simulator computes: every value of every step."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from loihi2_nets import clip, random_conv_net, random_dense_net, weights

from detrt.devices.loihi2.netfile import write_net
from detrt.devices.loihi2.network import Conv, Input, Network
from detrt.devices.loihi2.simulator import simulate

pytestmark = pytest.mark.long
RUNTIME = Path(__file__).parents[3] / "runtime"


def in_netx(python: Path, network: Network, frames: np.ndarray, spike_exp: int, folder: Path) -> np.ndarray:
    write_net(network, folder / "network.net")
    np.save(folder / "frames.npy", frames)
    command = [python, "-m", "detrt.devices.loihi2.netx", "network.net", "frames.npy", "outputs.npy", str(spike_exp)]
    environment = os.environ | {"PYTHONPATH": str(RUNTIME), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=180, capture_output=True)
    return np.load(folder / "outputs.npy")


def yolo_kp(rng: np.random.Generator, c: int, classes: int, side: int) -> Network:
    """The layers of specs/yolo_kp.det with `c` instead of 16 channels."""

    def block(inputs: int, outputs: int, k: int = 3, s: int = 1, spread: float = 24, read_out: bool = False) -> Conv:
        weight = weights(rng, (outputs, inputs, k, k), spread)
        bias = None if read_out else 2 * rng.integers(-6, 7, outputs)
        return Conv(weight, bias, (s, s), (k // 2, k // 2), (1, 1), 1, 6, read_out)

    widths = [3, c, 2 * c, 4 * c, 8 * c, 16 * c, 16 * c, 32 * c, 16 * c, 32 * c]
    moves = [(3, 2), (3, 2), (3, 2), (3, 2), (3, 1), (3, 2), (3, 1), (1, 1), (3, 1)]
    blocks = [block(i, o, k, s) for i, o, (k, s) in zip(widths, widths[1:], moves, strict=False)]
    return Network((Input((3, side, side), 6), *blocks, block(32 * c, 3 * (5 + classes), 1, read_out=True)))


@pytest.mark.parametrize("spike_exp", [6, 4])
def test_six_convolutions(lava_python, tmp_path, spike_exp):
    network = random_conv_net(1)
    frames = clip(1, network, 8, still=0.7)
    found = in_netx(lava_python, network, frames, spike_exp, tmp_path)
    assert found[-1].any() and np.array_equal(found, simulate(network, frames, spike_exp).outputs)


def test_sums_that_wrap(lava_python, tmp_path):
    network = random_conv_net(1, side=8, spread=200)
    frames = clip(1, network, 8, still=0.2)
    result = simulate(network, frames)
    assert sum(layer.sums for layer in result.overflows)
    assert np.array_equal(in_netx(lava_python, network, frames, 6, tmp_path), result.outputs)


def test_flatten_and_dense(lava_python, tmp_path):
    network = random_dense_net(2)
    frames = clip(2, network, 8, still=0.7)
    found = in_netx(lava_python, network, frames, 6, tmp_path)
    assert found[-1].any() and np.array_equal(found, simulate(network, frames).outputs)


def test_a_delay(lava_python, tmp_path):
    """Of a dense layer without a bias: what is held back on arrival or on leaving comes to the same."""
    layers = list(random_dense_net(2).layers)
    layers[3] = replace(layers[3], bias=None, delay=2)
    network = Network(tuple(layers))
    frames = clip(2, network, 10, still=0.7)
    found = in_netx(lava_python, network, frames, 6, tmp_path)
    assert found[-1].any() and np.array_equal(found, simulate(network, frames).outputs)


def test_yolo_kp_narrow(lava_python, tmp_path):
    rng = np.random.default_rng(3)
    network = yolo_kp(rng, 2, 1, 64)
    frames = np.stack([np.roll(clip(3, network, 1)[0], shift, 2) for shift in range(12)])
    found = in_netx(lava_python, network, frames, 6, tmp_path)
    assert found[-1].any() and np.array_equal(found, simulate(network, frames).outputs)

"""The chain without a weak link: chip-stage torch model = integer simulator = chip.dat read back and run, at every layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")

from chip_nets import RandomNet, random_net  # noqa: E402

from detrt.devices.gti5801.arithmetic import quantize_input  # noqa: E402
from detrt.devices.gti5801.calibration import calibrate  # noqa: E402
from detrt.devices.gti5801.chain import read_plan  # noqa: E402
from detrt.devices.gti5801.chipdat import decode, encode  # noqa: E402
from detrt.devices.gti5801.from_checkpoint import network_from_checkpoint  # noqa: E402
from detrt.devices.gti5801.network import ChipNetwork, same_network  # noqa: E402
from detrt.devices.gti5801.simulator import simulate  # noqa: E402
from detrt.devices.gti5801.stages import fold, prepare  # noqa: E402

CHIP = {"quantize": {"weights": "masks", "activations": {"stage": "measure"}, "folded": "u5"}}
WEIGHTS = {"quantize": {"weights": "masks", "activations": None, "folded": None}}
Maps = list[npt.NDArray[Any]]


def pictures(lock: dict[str, Any], count: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Noise with flat black and white patches, u8 [n, C, S, S]."""
    rng = np.random.default_rng(seed)
    made = rng.integers(0, 256, (count, *lock["model"]["input"]["shape"]), dtype=np.uint8)
    made[:, :, :5, :5], made[:, :, -5:, -5:] = 0, 255
    return made


def chip_stage(seed: int, **options: Any) -> tuple[RandomNet, dict[str, Any]]:
    """A random net, calibrated, folded and prepared as training does; every fourth keeps its wild weights."""
    model, lock = random_net(seed, **options)
    caps = {link.relu_node: 31.0 for link in read_plan(lock).links}
    if seed % 4:
        inputs = torch.from_numpy(quantize_input(pictures(lock, 2, seed)).astype(np.float32))
        caps = calibrate(model, lock, [inputs], {"q": 99.0 if seed % 2 else 90.0})
        fold(model, lock, caps)
    return prepare(model, lock, CHIP, caps).eval(), lock


def torch_layers(model: RandomNet, lock: dict[str, Any], pixels: npt.NDArray[np.uint8]) -> Maps:
    """What each ReLU of the chip-stage model gives for one picture."""
    found: Maps = []
    hooks = [
        model.get_submodule(link.relu).register_forward_hook(lambda m, i, y: found.append(y[0].numpy()))
        for link in read_plan(lock).links
    ]
    with torch.no_grad():
        model(torch.from_numpy(quantize_input(pixels).astype(np.float32))[None])
    for hook in hooks:
        hook.remove()
    return found


def chip_layers(network: ChipNetwork, pixels: npt.NDArray[np.uint8]) -> Maps:
    """What each sublayer of the simulator gives."""
    found: Maps = []
    simulate(network, pixels, lambda major, sublayer, x: found.append(x))
    return found


def equal(one: Maps, other: Maps) -> bool:
    """Real channels equal at every layer, padded ones zero."""
    return len(one) == len(other) and all(
        np.array_equal(a, b[: len(a)]) and not b[len(a) :].any() for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("seed", range(60))
def test_torch_simulator_and_file_agree_at_every_layer(seed: int) -> None:
    model, lock = chip_stage(seed, norms=seed % 5 == 0)
    network, _ = network_from_checkpoint(read_plan(lock), model.state_dict())
    back = decode(encode(network))
    assert same_network(network, back)
    pixels = pictures(lock, 1, seed + 1000)[0]
    layers = torch_layers(model, lock, pixels)
    assert equal(layers, chip_layers(network, pixels))
    assert equal(layers, chip_layers(back, pixels))

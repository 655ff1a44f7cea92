"""Weights that lava-dl trained go into the layers that they are of."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402

from detrt.layers import DeltaEncoder, Sigma, SigmaDelta, WeightNormConv2d  # noqa: E402
from detrt.weights.matching import match  # noqa: E402
from detrt.weights.reading import read_file  # noqa: E402

TRAINED = "lib/python3.11/site-packages/lava/lib/dl/slayer/object_detection/models/Trained_yolo_kp/network.pt"
PLACES = {"bias": "neuron.bias", "threshold": "neuron.delta.threshold", "norm.running_mean": "neuron.norm.running_mean"}


def net(widths: list[int], outputs: int) -> nn.Sequential:
    """Blocks of 3x3 convolutions and neurons as the specs of the family have them."""
    layers: list[nn.Module] = [DeltaEncoder()]
    for before, after in zip([3, *widths], widths, strict=False):
        layers += [WeightNormConv2d(before, after, 3, bias=False), SigmaDelta(after, norm="mean_only_batch")]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], outputs, 1, bias=False), Sigma())


def as_lava_has_it(model: nn.Sequential) -> dict[str, Tensor]:
    """The state dict under lava-dl's names and in its order: neurons first, weights with an axis of time."""
    state: dict[str, Tensor] = {"anchors": torch.rand(1, 3, 2)}
    own = model.state_dict()
    state |= {f"input_blocks.0.{PLACES[part]}": own[f"0.{part}"] for part in ("bias", "threshold")}
    blocks = (len(model) - 3) // 2
    for block in range(blocks):
        conv, neuron = f"{1 + 2 * block}", f"{2 + 2 * block}"
        for part in ("bias", "norm.running_mean", "threshold"):
            state[f"blocks.{block}.{PLACES[part]}"] = own[f"{neuron}.{part}"]
        for part in ("weight_g", "weight_v"):
            state[f"blocks.{block}.synapse.{part}"] = own[f"{conv}.{part}"][..., None]
    return state | {"heads.0.weight": own[f"{len(model) - 2}.weight"][..., None]}


@pytest.mark.parametrize("fresh", [False, True])
def test_every_tensor_finds_its_layer(fresh: bool, tmp_path: Path) -> None:
    torch.manual_seed(2)
    source, model = net([4, 4, 6], 7), net([4, 4, 6], 7)
    for module in source.modules():
        if isinstance(module, SigmaDelta):
            module.norm.running_mean.uniform_() if not fresh else module.norm.running_mean.zero_()
    state = as_lava_has_it(source)
    if fresh:  # no training has seen the net: a mean is one number
        state = {name: value[:1] if name.endswith("running_mean") else value for name, value in state.items()}
    torch.save(state, tmp_path / "network.pt")
    transfer = match(model.state_dict(), read_file(tmp_path / "network.pt"), [])
    assert not transfer.left and list(transfer.unused) == ["anchors"]
    model.load_state_dict(transfer.weights())
    for name, value in source.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


@pytest.mark.long
def test_the_trained_net_that_comes_with_lava_dl(lava_python: Path) -> None:
    path = lava_python.parents[1] / TRAINED
    widths = [16, 32, 64, 128, 256, 256, 512]
    part = nn.Sequential(*net(widths, 255)[: 1 + 2 * len(widths)])  # the blocks with 3x3 kernels in front
    transfer = match(part.state_dict(), read_file(path), [])
    assert not transfer.left and float(transfer.weights()["2.threshold"]) == 6 / 64

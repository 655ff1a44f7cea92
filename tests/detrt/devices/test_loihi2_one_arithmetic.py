"""One arithmetic: the torch stage, the integer simulator, and a `.net` file read back and executed give the same numbers, event
for event; and these comparisons see a dozen planted faults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loihi2_plans import Nets

pytest.importorskip("h5py")

from detrt.devices.loihi2 import delta, events, forward, from_state, netfile, neurons, synapses
from detrt.devices.loihi2.network import Conv, Dense, Network
from detrt.devices.loihi2.plan import LayerPlan, NetPlan, net_of
from detrt.devices.loihi2.simulator import simulate
from detrt.errors import DetrtError

Patch = pytest.MonkeyPatch
STEPS = 4
SEEDS = range(60)
QUICK = range(12)


@cache
def case_of(seed: int) -> tuple[NetPlan, dict[str, np.ndarray], np.ndarray]:
    """A net, its state and a clip; every sixth net has weights whose sums leave 24 bits."""
    nets = Nets(seed, delays=seed % 3 == 0, shared=True, gain=14.0 if seed % 6 == 5 else 1.0)
    return net_of(nets.plan), nets.state, nets.clip(1, STEPS)


def in_torch(net: NetPlan, state: dict[str, np.ndarray], clip: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Outputs [T, ..] as states of the chip; of each layer that sends, events and operations of all frames."""
    sent = []

    def see(layer: LayerPlan, messages: torch.Tensor) -> None:
        reached = events._fan_out(net.layers[net.layers.index(layer) :])
        there = (messages != 0).sum((0, 1, 2)).double()
        sent.append((int(there.sum()), int((there * reached).sum())))

    tensors = {name: torch.from_numpy(value) for name, value in state.items()}
    output = forward.forward_in_time(net, tensors, torch.from_numpy(clip), delay_shift=True, see=see)
    return np.moveaxis(output[0].double().numpy() * 2**18, -1, 0), sent


def simulated(net: NetPlan, network: Network, clip: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The same of the simulator: outputs come `latency` steps late, and what a layer sends `late` ones."""
    frames = np.moveaxis((delta.q8(torch.from_numpy(clip)) * 64).numpy()[0], -1, 0).astype(np.int64)
    held = np.concatenate([frames, *[frames[-1:]] * network.latency])
    found = simulate(network, held)
    sent, late = [], 0
    for number, layer in enumerate(network.layers):
        late += int(isinstance(layer, Conv | Dense))
        if net.layers[number].neuron is not None:
            behind = 2 if number + 2 < len(network.layers) and net.layers[number + 1].type == "flatten" else 1
            delay = layer.delay if isinstance(layer, Conv | Dense) else 0
            arrived = found.operations[late + delay :, number + behind][:STEPS]
            sent.append((int(found.events[late:, number][:STEPS].sum()), int(arrived.sum())))
            late += delay
    return found.outputs[network.latency :], sent


def agree(seed: int, folder: Path) -> bool:
    net, state, clip = case_of(seed)
    outputs, sent = in_torch(net, state, clip)
    path = folder / f"{seed}.net"
    try:
        network = from_state.from_state(net, state)
        netfile.write_net(network, path)
        read = netfile.read_net(path)
        for each in (network, read):
            others, counted = simulated(net, each, clip)
            if others.shape != outputs.shape or not np.array_equal(np.float32(others), outputs) or counted != sent:
                return False
    except (DetrtError, ValueError):  # maps of another size
        return False
    return True


@pytest.mark.parametrize("seed", QUICK)
def test_torch_the_simulator_and_a_file_agree(seed, tmp_path):
    assert agree(seed, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS[len(QUICK) :])
def test_they_agree_on_more_nets(seed, tmp_path):
    assert agree(seed, tmp_path)


@pytest.mark.long
def test_the_nets_have_all_that_a_net_can_have():
    """Groups, strides, dilation, norms, delays, dense ends; sums that wrap, and sums that float32 does not hold."""
    nets = [case_of(seed) for seed in SEEDS]
    layers = [layer for net, _, _ in nets for layer in net.layers]
    assert {layer.type for layer in layers} == {"input", "conv", "dense", "flatten"}
    for trait in (
        lambda layer: layer.groups > 1,
        lambda layer: 2 in layer.stride and layer.stride != (2, 2),
        lambda layer: 2 in layer.dilation,
        lambda layer: layer.delay,
        lambda layer: layer.weight_norm,
        lambda layer: layer.type == "dense" and layer.neuron and layer.neuron.norm,
    ):
        assert any(trait(layer) for layer in layers)
    wrapped: list[int] = []
    largest = 0.0
    for net, state, clip in nets:
        tensors = {name: torch.from_numpy(value) for name, value in state.items()}
        output = forward.forward_in_time(
            net, tensors, torch.from_numpy(clip), delay_shift=True, wrapped=lambda layer, count: wrapped.append(count)
        )
        largest = max(largest, float(output.abs().max()))
    assert sum(wrapped) and largest > 2**7


def around(module: Any, name: str, change: Callable[..., Any]) -> Callable[[Patch], None]:
    """A fault: module.name becomes change(original, *arguments)."""

    def plant(patch: Patch) -> None:
        original = getattr(module, name)
        patch.setattr(module, name, lambda *args, **options: change(original, *args, **options))

    return plant


def rounded_up(original: Any, value: torch.Tensor) -> torch.Tensor:
    return (torch.floor(value * 32 + 0.5) / 32).clamp(*delta.WEIGHT_RANGE)


def sent_by(fires: Callable[..., Any], left: Callable[..., Any], send: Callable[..., Any]) -> Callable[[Patch], None]:
    """A fault in delta neurons of torch: who fires, what a neuron that fired keeps, what is sent of a change."""

    def slow(original: Any, value: torch.Tensor, threshold: torch.Tensor, *_: Any) -> torch.Tensor:
        sent, residue = torch.empty_like(value), torch.zeros_like(value[0])
        for t in range(len(value)):
            change = value[t] - (value[t - 1] if t else 0) + residue
            firing = fires(change, threshold)
            sent[t] = torch.where(firing, send(change), 0)
            residue = torch.where(firing, left(change, sent[t]), change)
        return sent

    return around(forward, "delta", slow)


def at_least(change: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    return change.abs() >= threshold


def floored(change: torch.Tensor) -> torch.Tensor:
    return torch.floor(change * 4096) / 4096


def nothing(change: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(change)


def held(original: Any, sums: np.ndarray, bits: int = 24) -> np.ndarray:
    return np.clip(sums, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def with_network(change: Callable[[Conv], Conv]) -> Callable[[Patch], None]:
    """A fault in what is written to a file."""

    def plant(patch: Patch) -> None:
        original = netfile.write_net

        def write(network: Network, path: Path) -> None:
            layers = tuple(change(layer) if isinstance(layer, Conv) else layer for layer in network.layers)
            original(Network(layers), path)

        patch.setattr(netfile, "write_net", write)

    return plant


FAULTS: dict[str, Callable[[Patch], None]] = {
    "weights and frames round ties up": around(forward, "q8", rounded_up),
    "weights are clamped at 8": lambda patch: patch.setattr(delta, "WEIGHT_RANGE", (-8.0, 510 / 64)),
    "a threshold is stored rounded": around(forward, "stored", lambda _, value: torch.round(value * 64) / 64),
    "a change of just the threshold is kept": sent_by(lambda c, t: c.abs() > t, nothing, floored),
    "negative changes never fire": sent_by(lambda c, t: c >= t, nothing, floored),
    "messages are rounded": sent_by(at_least, nothing, lambda change: torch.round(change * 4096) / 4096),
    "messages are cut towards 0": sent_by(at_least, nothing, lambda change: torch.trunc(change * 4096) / 4096),
    "what is rounded off is kept": sent_by(at_least, lambda change, sent: change - sent, floored),
    "what is held back is lost": around(
        forward, "delta", lambda delta, value, th, *_: delta(value, th * 0 + 1e-9) * (delta(value, th) != 0)
    ),
    "means are not rounded": around(
        forward, "q8", lambda q8, value: value if value.dim() == 1 else q8(value)
    ),
    "the sums of a step arrive in it": around(forward, "_begun_late", lambda _, x, steps: x if steps == 1 else _(x, steps)),
    "delays of axons are left out": around(forward, "_begun_late", lambda _, x, steps: _(x, min(steps, 1))),
    "24 bits are held instead of wrapped": around(synapses, "wrap", held),
    "float32 holds everything": lambda patch: patch.setattr(forward, "EXACT_FLOAT32", 1e30),
    "a bias has the other sign": with_network(lambda conv: replace(conv, bias=None if conv.bias is None else -conv.bias)),
    "strides are swapped": with_network(lambda conv: replace(conv, stride=conv.stride[::-1])),
    "dilation is left out": with_network(lambda conv: replace(conv, dilation=(1, 1))),
    "kernels are flipped": with_network(lambda conv: replace(conv, weight=conv.weight[:, :, ::-1, ::-1])),
    "weights are one step off": with_network(lambda conv: replace(conv, weight=conv.weight - 2 * (conv.weight > 250))),
    "a neuron forgets what it held at first": around(
        neurons.Neurons, "__call__", lambda call, self, arrival: (setattr(self, "_began", True), call(self, arrival))[1]
    ),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault, monkeypatch, tmp_path):
    FAULTS[fault](monkeypatch)
    assert any(not agree(seed, tmp_path) for seed in SEEDS)

"""Training through lava-dl's blocks is training through detrt's own forward: the same outputs, gradients and means."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from loihi2_plans import Nets

from detc.codegen.slayer_net import slayer_source
from detrt.devices.loihi2.plan import net_of
from detrt.devices.loihi2.slayer_names import from_slayer, is_of_slayer, slayer_names, to_slayer, translate
from detrt.weights.found import Found
from detrt.weights.matching import match

HERE = Path(__file__).parent


def one_threshold(seed: int) -> bool:
    """Not one a channel, which lava-dl has no gradient for."""
    nets = Nets(seed, delays=True, trainable=seed % 2 == 0)
    return all(len(value) == 1 for name, value in nets.state.items() if name.endswith("threshold"))


SEEDS = list(filter(one_threshold, range(300, 345)))


def source_of(nets: Nets) -> str:
    text = slayer_source(
        {"plan": {"nets": [nets.plan]}, "model": {"nodes": []}, "spec": {"name": "made_up"}, "detc": "0"}
    )
    assert text is not None
    return text


def named(nets: Nets) -> Nets:
    """With the IR nodes that a plan has."""
    for layer in nets.layers:
        layer["nodes"] = [layer["name"]]
    return nets


@pytest.mark.long
def test_printed_blocks_give_what_the_own_forward_gives(lava_python, tmp_path):
    for seed in SEEDS:
        nets = named(Nets(seed, delays=True, trainable=seed % 2 == 0))
        (tmp_path / f"net_{seed}.py").write_text(source_of(nets))
    done = subprocess.run(
        [lava_python, "-W", "ignore", HERE / "loihi2_engines.py", tmp_path, *map(str, SEEDS)],
        env={"PYTHONPATH": f"{HERE}:{HERE.parents[2] / 'runtime'}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == len(SEEDS) >= 30
    for seed, record in found.items():
        assert record["output"] and record["messages"] and record["still"], seed
        assert record["means"] < 1e-6, seed
        for name, error in record["gradients"].items():
            # Float rounding in sums of hundreds of terms, of a threshold of thousands of either sign.
            assert error <= (1e-4 if name.endswith("threshold") else 1e-5), (seed, name)


def test_the_tensors_of_a_net_have_lava_dls_names_and_shapes():
    nets = Nets(0)
    net = net_of(nets.plan)
    own = {name: torch.from_numpy(value) for name, value in nets.state.items()}
    own |= {name: torch.zeros(1) for name in slayer_names(net) if name.endswith(".bias")}
    given = to_slayer(net, own)
    assert is_of_slayer(given) and not is_of_slayer(own)
    for name, tensor in given.items():
        if name.rpartition(".")[2].startswith("weight"):
            assert tensor.dim() == 5 and tensor.shape[-1] == 1, name
    back = from_slayer(net, given, own)
    assert set(back) == set(own)
    for name, tensor in back.items():
        np.testing.assert_array_equal(tensor, own[name])


def test_a_mean_that_was_never_measured_is_that_of_all_channels():
    nets = next(n for n in map(Nets, range(50)) if any("running_mean" in name for name in n.state))
    net = net_of(nets.plan)
    own = {name: torch.from_numpy(value) for name, value in nets.state.items()}
    ours = next(name for name in own if name.endswith("running_mean"))
    found = from_slayer(net, {slayer_names(net)[ours]: torch.zeros(1)}, own)
    assert list(found) == [ours] and found[ours].shape == own[ours].shape and not found[ours].any()


def test_what_the_net_has_no_name_for_keeps_its_own():
    nets = Nets(0)
    own = {name: torch.from_numpy(value) for name, value in nets.state.items()}
    wide = torch.zeros(9, 9, 1, 1, 1)
    found = from_slayer(net_of(nets.plan), {"heads.0.weight": wide, "heads.7.weight": wide}, own)
    assert {name: list(tensor.shape) for name, tensor in found.items()} == {
        "head.conv.weight": [9, 9, 1, 1],  # of another width, as whoever loads it will say
        "heads.7.weight": [9, 9, 1, 1, 1],
    }


def test_weights_of_lava_dl_are_taken_over_by_name():
    nets = Nets(0)
    own = {name: torch.from_numpy(value) for name, value in nets.state.items()}
    lock = {"plan": {"schema": 1, "nets": [nets.plan]}}
    own |= {name: torch.zeros(1) for name in slayer_names(net_of(nets.plan)) if name.endswith(".bias")}
    theirs = to_slayer(net_of(nets.plan), own)
    begun = {name: torch.ones_like(tensor) for name, tensor in own.items()}
    transfer = match(begun, Found("network.pt", translate({**theirs, "anchors": torch.ones(3)}, lock, begun)), [])
    assert transfer.unused == ["anchors"] and not transfer.left
    assert all(torch.equal(tensor, own[name]) for name, tensor in transfer.weights().items())
    assert translate(own, lock, begun) is own
    assert translate(theirs, {"plan": None}, begun) is theirs

"""The forward in time equals lava-dl's, as it trains and as the chip runs; and the chip's form equals the integer simulator."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from loihi2_plans import Nets

from detrt.devices.loihi2.delta import delta, q8, stored
from detrt.devices.loihi2.forward import forward_in_time
from detrt.devices.loihi2.plan import net_of

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE.parents[1] / "golden/loihi2/slayer_forward.json").read_text())
MODES = ("train", "eval", "shift")


def assert_equals_slayer(mode: str, record: dict) -> None:
    """The net of the record gives the same outputs and event counts; weight gradients to 1e-6 of the largest."""
    nets = Nets(record["seed"], trainable=mode == "train" and record["seed"] % 2 == 0)
    clip = nets.clip()
    tensors = {name: torch.from_numpy(value) for name, value in nets.state.items()}
    for name, value in tensors.items():
        value.requires_grad_(not name.endswith("running_mean"))
    means, sent = {}, []

    def batch_means(neuron, sums):
        mean = sums.mean([axis for axis in range(sums.dim()) if axis != 2])
        running = tensors[f"{neuron.module}.norm.running_mean"]
        means[f"{neuron.module}.norm.running_mean"] = 0.9 * running + 0.1 * mean.detach()
        return mean

    output = forward_in_time(
        net_of(nets.plan),
        tensors,
        torch.from_numpy(clip),
        delay_shift=mode == "shift",
        means=batch_means if mode == "train" else None,
        see=lambda layer, messages: sent.append(int((messages != 0).sum())),
    )
    wanted = torch.from_numpy(nets.wanted(clip))
    assert output.dtype == torch.float32 and output.shape == wanted.shape
    assert (output.detach().double() * 2**17).flatten().tolist() == record["output"]
    if mode != "shift":  # there lava-dl's count has what is sent before the first frame as well
        assert sent == record["sent"]
    if mode == "train":
        assert set(means) == set(record["means"])
        for name, value in means.items():
            np.testing.assert_allclose(value, record["means"][name], rtol=1e-6, atol=1e-7)
    if record["gradients"]:
        (output * wanted).sum().backward()
    for name, given in record["gradients"].items():
        found = tensors[name].grad.flatten()
        error = (found[: len(given)] - torch.tensor(given)).abs().max()
        # Where an output has one weight, turning it changes nothing: lava-dl has what rounding leaves of the length's.
        scale = max(float(tensors[n].grad.abs().max()) for n in (name, name.replace("weight_v", "weight_g")))
        # A threshold's gradient adds up hundreds of terms of either sign.
        assert error <= (1e-5 if name.endswith("threshold") else 1e-6) * scale, name


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("number", range(len(GOLDEN["train"])))
def test_a_net_gives_what_lava_dl_gave(mode, number):
    assert_equals_slayer(mode, GOLDEN[mode][number])


@pytest.mark.long
@pytest.mark.parametrize("mode", MODES)
def test_fifty_nets_give_what_lava_dl_gives(mode, lava_python):
    path = [str(HERE), str(HERE.parents[2] / "runtime")]
    done = subprocess.run(
        [lava_python, "-W", "ignore", HERE / "loihi2_slayer.py", mode, *map(str, range(100, 150))],
        env={"PYTHONPATH": ":".join(path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    records = json.loads(done.stdout)
    assert len(records) == 50
    for record in records:
        assert_equals_slayer(mode, record)


def test_q8_rounds_ties_to_even_and_holds_what_lies_beyond():
    value = torch.tensor([0.5, 1.5, -0.5, -1.5, 2.25]) / 32
    assert (q8(value) * 32).tolist() == [0, 2, 0, -2, 2]
    far = torch.tensor([5.0, -5.0, 3.99, 1.0], requires_grad=True)
    q8(far).sum().backward()
    assert q8(far).tolist() == [254 / 64, -4, 254 / 64, 1] and far.grad.tolist() == [0, 0, 0, 1]


def test_a_threshold_is_stored_rounded_down():
    assert stored(torch.tensor([0.1, 0.09375, 0.0156, 1 / 64])).tolist() == [6 / 64, 6 / 64, 0, 1 / 64]


def test_a_change_is_sent_at_the_threshold_and_what_is_rounded_off_is_lost():
    """Values in 2^-13: half a message is below the grid. What is held back waits for the next step, without rounding."""
    values = torch.tensor([401.0, 800, 1201, 1201, 0]).reshape(-1, 1, 1) / 8192
    sent = delta(values, torch.tensor([401 / 8192])) * 4096
    assert sent.flatten().tolist() == [200, 0, 400, 0, -601]


def test_a_message_gives_its_gradient_to_the_value_and_takes_it_from_the_value_before():
    values = torch.zeros(4, 1, 1, requires_grad=True)
    (delta(values, torch.tensor([0.1])).flatten() * torch.tensor([1.0, 10, 100, 1000])).sum().backward()
    assert values.grad.flatten().tolist() == [1 - 10, 10 - 100, 100 - 1000, 1000]


def test_the_chips_form_of_a_still_picture_does_not_depend_on_how_the_clip_is_cut():
    """Causal: the outputs of the first frames are those of a shorter clip."""
    nets = Nets(20)
    tensors = {name: torch.from_numpy(value) for name, value in nets.state.items()}
    clip = torch.from_numpy(nets.clip(1, 6))
    net = net_of(nets.plan)
    whole = forward_in_time(net, tensors, clip, delay_shift=True)
    short = forward_in_time(net, tensors, clip[..., :4], delay_shift=True)
    assert torch.equal(whole[..., :4], short)


def test_what_the_chips_form_trains_is_what_it_scores():
    """With the means that stand: the same outputs, and gradients for all that learns. With those of a batch: of its frames."""
    nets = Nets(3)
    tensors = {name: torch.from_numpy(value) for name, value in nets.state.items()}
    for name, value in tensors.items():
        value.requires_grad_(not name.endswith(("running_mean", "threshold")))
    clip, net, seen = torch.from_numpy(nets.clip()), net_of(nets.plan), []
    trained = forward_in_time(net, tensors, clip, delay_shift=True, exact=False)
    assert torch.equal(trained, forward_in_time(net, tensors, clip, delay_shift=True))
    assert not torch.equal(trained, forward_in_time(net, tensors, clip))
    trained.square().sum().backward()
    assert all(float(v.grad.abs().max()) > 0 for v in tensors.values() if v.requires_grad and v.dim() > 1)

    def batch_means(neuron, sums):
        seen.append(len(sums))
        return tensors[f"{neuron.module}.norm.running_mean"]

    forward_in_time(net, tensors, clip, delay_shift=True, exact=False, means=batch_means)
    assert seen and set(seen) == {clip.shape[-1]}


def test_thresholds_of_channels_share_out_the_gradient_of_one_threshold():
    values = torch.from_numpy(np.random.RandomState(0).normal(0, 0.2, [6, 2, 3, 4, 4]).astype(np.float32))
    one = torch.tensor([0.1], requires_grad=True)
    each = torch.full((3, 1, 1), 0.1, requires_grad=True)
    for threshold in (one, each):
        (delta(values, threshold, 0.2, 0.3) * values.cos()).sum().backward()
    assert float(each.grad.abs().min()) > 0
    torch.testing.assert_close(each.grad.sum().reshape(1), one.grad)

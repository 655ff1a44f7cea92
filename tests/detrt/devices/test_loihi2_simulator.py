"""The integer simulator: the worked example, a plain reading of the same rules, and what it counts."""

from __future__ import annotations

import numpy as np
import pytest
from loihi2_nets import clip, conv, plainly, random_conv_net, random_dense_net

from detrt.devices.loihi2.network import Input, Network
from detrt.devices.loihi2.neurons import Neurons
from detrt.devices.loihi2.simulator import Simulator, simulate
from detrt.devices.loihi2.synapses import Arrival, ConvSynapses, wrap
from detrt.errors import DetrtError


def at_one_place(total: int) -> Arrival:
    return Arrival(np.zeros(1, np.intp), np.array([[total]], np.int64))


def test_worked_example():
    """By hand: messages 3000, -2001, 37, 0 through w = 14, bias = 10, vth = 6 at E = 6, then a read-out with w = 2."""
    hidden, out = Neurons(conv([[[[14]]]], [10]), (1, 1, 1), 6), Neurons(conv([[[[2]]]], sigma=True), (1, 1, 1), 6)
    came, for_out, sent, read = 0, 0, [], []
    for message in (3000, -2001, 37, 0):
        read.append(int(out.read_out(at_one_place(for_out))[0, 0]))
        sent.append(int(hidden(at_one_place(came))[0, 0, 0]))
        came, for_out = 14 * message, 2 * sent[-1]
    assert sent == [640, 656, -438, 0]
    assert read == [0, 1280, 2592, 1716]


@pytest.mark.parametrize("make", [random_conv_net, random_dense_net])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spike_exp", [6, 4])
def test_equals_a_plain_reading(make, seed, spike_exp):
    network = make(seed)
    frames = clip(seed, network, 7, still=0.9)
    outputs, events = simulate(network, frames, spike_exp)
    wanted, wanted_events = plainly(network, frames, spike_exp)
    assert np.array_equal(outputs, wanted) and np.array_equal(events, wanted_events)
    assert np.any(outputs[-1])


def test_sums_wrap_at_24_bits_and_are_counted():
    assert wrap(np.array([1 << 23, -(1 << 23) - 1, (1 << 23) - 1])).tolist() == [
        -(1 << 23),
        (1 << 23) - 1,
        (1 << 23) - 1,
    ]
    network = random_conv_net(1, spread=200)
    frames = clip(1, network, 6, still=0.2)
    result = simulate(network, frames)
    assert sum(layer.sums for layer in result.overflows) and sum(layer.messages for layer in result.overflows)
    assert np.array_equal(result.outputs, plainly(network, frames)[0])


def test_a_clip_may_come_in_parts():
    network = random_conv_net(2)
    frames = clip(2, network, 6)
    simulator = Simulator(network)
    parts = [simulator.run(frames[:2]), simulator.run(frames[2:])]
    whole = simulate(network, frames)
    assert np.array_equal(np.concatenate([part.outputs for part in parts]), whole.outputs)
    assert np.array_equal(np.concatenate([part.events for part in parts]), whole.events)
    simulator.reset()
    assert np.array_equal(simulator.run(frames).outputs, whole.outputs)


def test_a_still_picture_falls_silent():
    network = random_conv_net(3)
    frames = np.repeat(clip(3, network, 1), network.latency + 2, axis=0)
    result = simulate(network, frames)
    assert not result.events[-1].any() and not result.operations[-1].any()
    assert np.array_equal(result.outputs[-1], result.outputs[-2])


def test_operations_count_the_weights_used():
    """One message in the corner of 4x4 meets, with 3x3 and padding 1 at stride 2, one place through one of nine weights."""
    synapses = ConvSynapses(conv(np.full((5, 1, 3, 3), 2), pad=(1, 1), stride=(2, 2)), (1, 4, 4))
    for place, uses in (((0, 0), 1), ((1, 1), 4), ((2, 1), 2), ((3, 3), 1)):
        messages = np.zeros((4, 4, 1), np.int32)
        messages[place] = 9
        assert synapses(messages).operations == 5 * uses


def test_delay_holds_messages_back():
    prompt = Network((Input((1, 1, 1), 6), conv([[[[64]]]]), conv([[[[64]]]], sigma=True)))
    late = Network((prompt.layers[0], conv([[[[64]]]], delay=2), prompt.layers[2]))
    frames = np.array([7, 40, 9, 60, 60, 60, 60]).reshape(-1, 1, 1, 1)
    assert late.latency == prompt.latency + 2
    assert np.array_equal(simulate(late, frames).outputs[2:], simulate(prompt, frames).outputs[:-2])


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        (np.zeros((2, 3, 12, 12), int), r"shape T, \(3, 12, 14\)"),
        (np.zeros((2, 3, 12, 14)), "takes integers"),
        (np.full((2, 3, 12, 14), 1 << 20), "beyond 16 bits"),
    ],
)
def test_frames_that_do_not_fit(frames, says):
    with pytest.raises(DetrtError, match=says):
        simulate(random_conv_net(0), frames)


def test_a_spike_exp_that_is_none():
    with pytest.raises(DetrtError, match="spike_exp = 11"):
        Simulator(random_conv_net(0), 11)

"""Bounds of what a Loihi 2 network can reach: sound against the simulator, and tight where they can be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loihi2_nets import clip, conv, random_conv_net, random_dense_net

from detrt.devices.loihi2.network import Input, Network
from detrt.devices.loihi2.ranges import layer_ranges, unproven
from detrt.devices.loihi2.simulator import simulate


def read_out(network: Network, layers: int) -> Network:
    """The network up to that many layers, the last one read out without its neurons."""
    last = replace(network.layers[layers - 1], sigma=True, bias=None)
    return Network((*network.layers[: layers - 1], last))


def sums_seen(network: Network, layers: int, frames: np.ndarray) -> np.ndarray:
    """States of the last of so many layers, step by step, with a step of 0 before."""
    outputs = simulate(read_out(network, layers), frames).outputs
    return np.concatenate([np.zeros_like(outputs[:1]), outputs])


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, 6, 20]), st.booleans())
def test_what_the_simulator_holds_lies_within_the_bounds(seed: int, spread: int, dense: bool) -> None:
    network = random_dense_net(seed) if dense else random_conv_net(seed, side=6, spread=spread)
    frames = clip(seed, network, 8)
    ranges = {found.index: found for found in layer_ranges(network, steps=len(frames))}
    whole = simulate(network, frames)
    for index, found in ranges.items():
        if index == 0:
            continue
        if any(whole.overflows[k] for k in range(index)):
            break  # bounds hold while the layers before keep to their ranges
        states = sums_seen(network, index + 1, frames)
        assert found.states[0] <= states.min() and states.max() <= found.states[1]
        if whole.overflows[index].sums == 0:
            sums = np.diff(states, axis=0)
            assert found.sums is not None and found.sums[0] <= sums.min() and sums.max() <= found.sums[1]
        assert found.sums_fit <= (whole.overflows[index].sums == 0)
        assert found.messages_fit <= (whole.overflows[index].messages == 0)


def test_one_weight_by_hand() -> None:
    """x in [-4, 254/64], threshold 6/64: a message changes at most by 510/64 + 6/64, in units of 1/4096 that is 33023."""
    network = Network((Input((1, 2, 2), 6), conv([[[[14]]]], [10], vth=6), conv([[[[2]]]], sigma=True)))
    picture, layer, head = layer_ranges(network, steps=4)
    assert picture.messages == (-33024, 33023) and not picture.messages_fit
    assert layer.sums == (-33024 * 14, 33023 * 14) and layer.sums_fit
    assert layer.states == (14 * (-256 * 64 - 6 * 64 - 4), 14 * (254 * 64 + 6 * 64 - 1))
    assert head.messages is None and head.fits


def test_a_narrower_picture_narrows_all_bounds() -> None:
    network = random_conv_net(3, side=6)
    wide, narrow = layer_ranges(network, 8), layer_ranges(network, 8, picture=[(-130, 160)])
    for one, other in zip(narrow[:2], wide[:2], strict=True):
        assert other.states[0] < one.states[0] and one.states[1] < other.states[1]
    with pytest.raises(ValueError, match="2 ranges for 3 channels"):
        layer_ranges(network, 8, picture=[(0, 1), (0, 1)])


def test_layers_that_may_leave_their_range_are_told_in_values() -> None:
    heavy = Network((Input((8, 4, 4), 6), conv(np.full((1, 8, 1, 1), 254), sigma=True)))
    said = unproven(heavy, layer_ranges(heavy, 8, picture=[(-64, 64)]), ["encode", "head"])
    assert said == ["head: sums of a step can reach 66.5 of 32 and would wrap, states can reach 34.8 of 32"]
    light = Network((Input((8, 4, 4), 6), conv(np.full((1, 8, 1, 1), 2), sigma=True)))
    assert unproven(light, layer_ranges(light, 8, picture=[(-64, 64)]), ["encode", "head"]) == []

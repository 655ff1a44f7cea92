"""Interval analysis of a network: what its messages, sums of a step and states can reach, whatever clip comes in.

Sound bounds, layer by layer, from the real weights: what is shown to stay in range cannot wrap. Bounds grow with the depth of a
net, so a layer that is not shown to stay may stay all the same; the simulator counts what really leaves (`Overflows`). A layer is
judged as if all before it kept to the chip's ranges.

With act in [low, high] (0 among them, as all begins there) and a threshold th, a neuron's sent changes add up to
act - residue, |residue| < th. So a message lies within +-(high - low + th), and the sum of its messages in [low - th, high + th],
less what `>> 6` floors away, below 1 a message. A sum of weighted messages is largest where each positive weight meets the
largest message and each negative one the least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detrt.devices.loihi2.network import Conv, Dense, Flatten, Input, Ints, Network
from detrt.devices.loihi2.neurons import MESSAGE_LIMIT, STATE_EXP, STATE_LIMIT
from detrt.devices.loihi2.synapses import ACCUMULATOR

LOWEST, HIGHEST = -256, 254
"""What a picture can hold, times 64."""

Bounds = tuple[Ints, Ints]
"""Least and largest value of each channel, int64 [C]."""


@dataclass(frozen=True, slots=True)
class LayerRange:
    """What layer `index` of `network.layers` can reach: (least, most) over its channels, in the chip's whole numbers.

    `sums` are those of one step (None of an input), `states` what they add up to, `messages` what is sent (None of a read-out).
    `sums_fit` and so on say whether that is within the chip's ranges: 24 bits of a sum and of a state, 16 of a message.
    """

    index: int
    sums: tuple[int, int] | None
    states: tuple[int, int]
    messages: tuple[int, int] | None

    @property
    def sums_fit(self) -> bool:
        return self.sums is None or _within(self.sums, 1 << (ACCUMULATOR - 1))

    @property
    def states_fit(self) -> bool:
        return _within(self.states, STATE_LIMIT)

    @property
    def messages_fit(self) -> bool:
        return self.messages is None or _within(self.messages, MESSAGE_LIMIT)

    @property
    def fits(self) -> bool:
        return self.sums_fit and self.states_fit and self.messages_fit


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a layer sends, by channel: single messages, and what its messages add up to at any time."""

    one: Bounds
    all: Bounds


def layer_ranges(
    network: Network, steps: int, spike_exp: int = 6, picture: Sequence[tuple[int, int]] | None = None
) -> tuple[LayerRange, ...]:
    """The ranges of every layer but flattens, for clips that run for at most `steps` steps (the latency included).

    `picture` is (least, most) of each input channel times 64, or one for all; what the encoder can store where it is not given.
    """
    found: list[LayerRange] = []
    sent: _Sent | None = None
    size = 1
    for index, layer in enumerate(network.layers):
        if isinstance(layer, Flatten):
            size = int(np.prod(network.shapes[index - 1][1:]))
        elif isinstance(layer, Input):
            states = _picture(layer, spike_exp, picture)
            sent = _sent(states, layer.vth, steps, spike_exp)
            found.append(LayerRange(index, None, _ends(states), _ends(sent.one)))
        else:
            assert sent is not None  # a network begins with its input
            sums, states = (_weighted(layer, bounds, size) for bounds in (sent.one, sent.all))
            size = 1
            if layer.sigma:
                found.append(LayerRange(index, _ends(sums), _ends(_with_0(states)), None))
                break
            bias = 0 if layer.bias is None else layer.bias << (spike_exp + STATE_EXP)
            act = tuple(np.clip(bound + bias, 0, STATE_LIMIT - 1) for bound in states)
            sent = _sent((np.zeros_like(act[0]), act[1]), layer.vth, steps, spike_exp)
            found.append(LayerRange(index, _ends(sums), _ends(states), _ends(sent.one)))
            limit = MESSAGE_LIMIT
            sent = _Sent((np.maximum(sent.one[0], -limit), np.minimum(sent.one[1], limit - 1)), sent.all)
    return tuple(found)


def unproven(network: Network, ranges: Sequence[LayerRange], names: Sequence[str], spike_exp: int = 6) -> list[str]:
    """One sentence for each layer that is not shown to keep the chip's ranges, in values; `names` are those of
    `network.layers`."""
    unit = 2.0 ** (spike_exp + 2 * STATE_EXP)
    said = []
    for found in ranges:
        parts = []
        if not found.sums_fit and found.sums is not None:
            wraps = " and would wrap" if isinstance(network.layers[found.index], Conv) else ""
            parts.append(
                f"sums of a step can reach {_most(found.sums) / unit:.3g} of {(1 << (ACCUMULATOR - 1)) / unit:g}{wraps}"
            )
        if not found.states_fit:
            parts.append(f"states can reach {_most(found.states) / unit:.3g} of {STATE_LIMIT / unit:g}")
        if not found.messages_fit and found.messages is not None:
            one = unit / (1 << STATE_EXP)
            parts.append(f"messages can reach {_most(found.messages) / one:.3g} of {MESSAGE_LIMIT / one:g}")
        if parts:
            said.append(f"{names[found.index]}: {', '.join(parts)}")
    return said


def _picture(layer: Input, spike_exp: int, picture: Sequence[tuple[int, int]] | None) -> Bounds:
    channels = layer.shape[0]
    given = list(picture) if picture is not None else [(LOWEST, HIGHEST)]
    given = given * channels if len(given) == 1 else given
    if len(given) != channels:
        raise ValueError(f"{len(given)} ranges for {channels} channels of a picture")
    bounds = np.array(given, np.int64).T << (spike_exp + STATE_EXP)
    return _with_0((bounds[0], bounds[1]))


def _sent(act: Bounds, vth: int, steps: int, spike_exp: int) -> _Sent:
    """What neurons send whose values stay in `act` (0 among them)."""
    residue = max((vth << (spike_exp + STATE_EXP)) - 1, 0)
    low, high = act
    one = ((low - high - residue) >> STATE_EXP, (high - low + residue) >> STATE_EXP)
    total = (((low - residue) >> STATE_EXP) - steps, (high + residue) >> STATE_EXP)
    return _Sent(one, total)


def _weighted(layer: Conv | Dense, bounds: Bounds, size: int) -> Bounds:
    """Sums of weight times value by output, values within `bounds` by input channel; `size` inputs a channel of a flat map."""
    low, high = bounds
    up: Ints = np.maximum(layer.weight, 0)
    down: Ints = np.minimum(layer.weight, 0)
    if isinstance(layer, Dense):
        low, high = np.repeat(low, size), np.repeat(high, size)
        return up @ low + down @ high, up @ high + down @ low
    up, down = up.sum((2, 3)), down.sum((2, 3))
    grouped = [bound.reshape(layer.groups, 1, -1) for bound in (low, high)]
    up, down = (part.reshape(layer.groups, -1, part.shape[1]) for part in (up, down))
    least = (up * grouped[0] + down * grouped[1]).sum(2).reshape(-1)
    most = (up * grouped[1] + down * grouped[0]).sum(2).reshape(-1)
    return least, most


def _with_0(bounds: Bounds) -> Bounds:
    return np.minimum(bounds[0], 0), np.maximum(bounds[1], 0)


def _ends(bounds: Bounds) -> tuple[int, int]:
    return int(bounds[0].min()), int(bounds[1].max())


def _within(ends: tuple[int, int], limit: int) -> bool:
    return -limit <= ends[0] and ends[1] < limit


def _most(ends: tuple[int, int]) -> int:
    return max(-ends[0], ends[1])

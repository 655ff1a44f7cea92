"""Ranges that are known before training: of the picture, of messages, and what sums the weights of a layer may come to.

A conv or dense layer adds weight * message over its inputs; a step's sum stands in an accumulator that wraps. Weights are
unknown before training, so what can be said is how large their sum may become. `detrt.devices.loihi2.ranges` looks at the weights
themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from detc.ir.ops.conv import Conv
from detc.ir.ops.source import Input
from detc.targets.bounds import ends
from detc.targets.facts import Facts
from detc.targets.loihi2.layers import Layer, Net, neuron_of

PIXEL = 255
"""The largest value of a u8 picture."""


@dataclass(frozen=True, slots=True)
class Scales:
    """The chip's ranges as values: what weights, pictures and means, messages and sums of a step may reach."""

    low: float
    high: float
    weight: float
    message: float
    accumulator: float

    @classmethod
    def of(cls, facts: Facts) -> Scales:
        """A message is value * 64 * 2^spike_exp, a sum that times the weights' 64."""
        weight = facts.number("type.weight.scale")
        message = facts.number("type.message.scale") << facts.number("type.message.spike_exp")
        (low, high), stored = ends(facts["type.value.range"]), ends(facts["type.weight.range"])
        return cls(
            low / weight,
            high / weight,
            max(-stored[0], stored[1]) / weight,
            2 ** (facts.number("type.message.bits") - 1) / message,
            2 ** (facts.number("type.accumulator.bits") - 1) / (message * weight),
        )


def picture_range(op: Input) -> list[tuple[float, float]]:
    """(least, most) of each channel of an encoded u8 picture; empty where its values are not known (event counts, floats)."""
    if op.dtype != "u8" or op.order == "events":
        return []
    channels = max(len(op.mean), len(op.std), 1)
    found = []
    for c in range(channels):
        mean, std = (op.mean[c] if op.mean else 0.0), (op.std[c] if op.std else 1.0)
        found.append(((op.offset - mean) / std, (PIXEL / op.scale + op.offset - mean) / std))
    return found


@dataclass(frozen=True, slots=True)
class Sums:
    """A layer whose sums may leave the accumulator: `allowed` is what the |weights| of one output may come to, `worst` what the
    range of weights lets a sum reach."""

    layer: Layer
    allowed: float
    worst: float


def risky_sums(net: Net, scales: Scales) -> list[Sums]:
    """The layers of which some weights in range give a sum beyond the accumulator, while messages keep their range.

    A message is a change: at most the range of what is sent, plus the threshold below which nothing was sent before.
    """
    found = []
    change = scales.message
    assert isinstance(net.input.op, Input)
    pictures = picture_range(net.input.op)
    for layer in net.layers:
        if layer.kind == "input" and pictures:
            clamped = [(max(low, scales.low), min(high, scales.high)) for low, high in pictures]
            span = max(max(high, 0) - min(low, 0) for low, high in clamped) + neuron_of(layer.node).threshold
            change = min(change, span)
        elif layer.multiplies:
            op = layer.op
            inputs = layer.in_shape[0] // op.groups * prod(op.k) if isinstance(op, Conv) else prod(layer.in_shape)
            worst = inputs * scales.weight * change
            if worst >= scales.accumulator:
                found.append(Sums(layer, scales.accumulator / change, worst))
            change = scales.message
    return found

"""The input of a net: how bytes 0..255, encoded as (x / scale + offset - mean) / std, become int8 without a rounding.

A byte u enters as q = u - 128. Where one gain and one whole zero hold for all channels, that is the input's Quant. Otherwise the
layers that read the picture absorb the difference: gains go into their weights, and what lies between a channel's zero and the
common whole one goes into their bias, both exactly. Only the border of a padded convolution can then differ from the float
net: it is the common zero, one byte value, where the float net has 0.0 in every channel. Torch's quantised stages, simulator
and C code all have that border.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from detrt.devices.stm32.arithmetic import Quant
from detrt.devices.stm32.plan import Plan, PlanStep
from detrt.errors import DetrtError

WHOLE = 1e-4
"""A zero so close to a whole byte is taken for it: encodings are written in decimals."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A channel c of the picture stands for gains[c] * (q - zero + rests[c]), in units of `quant.scale`.

    `plain`: all gains are 1 and all rests 0, so that `quant` says everything.
    """

    quant: Quant
    gains: tuple[float, ...]
    rests: tuple[float, ...]

    @property
    def plain(self) -> bool:
        return set(self.gains) == {1.0} and not any(self.rests)

    @property
    def holds_zero(self) -> bool:
        """True if 0.0 lies among the bytes of every channel."""
        return all(0 <= self.quant.zero + 128 - rest <= 255 for rest in self.rests)

    def picked(self, channels: Sequence[int]) -> Entry:
        """The entry of a map whose channels are these ones of this map."""
        gains, rests = (tuple(values[c] for c in channels) for values in (self.gains, self.rests))
        return Entry(self.quant, gains, rests)


def entry_of(model_input: Mapping[str, Any]) -> Entry:
    """From the lock's input. DetrtError for an encoding that bytes cannot enter by exactly."""
    encoding = dict(model_input.get("encoding") or {})
    channels = int(model_input["shape"][0])
    if encoding.get("kind") != "affine":
        raise DetrtError(
            f"the input is encoded as `{encoding.get('kind')}`; a microcontroller takes bytes", "model.input.encoding",
            "build the model for this target again",
        )  # fmt: skip
    if model_input.get("steps") is not None or model_input.get("order") == "events":
        raise DetrtError("the input is a clip; a microcontroller takes single pictures", "model.input")
    scale, offset = float(encoding.get("scale") or 1.0), float(encoding.get("offset") or 0.0)
    mean = [float(v) for v in encoding.get("mean") or [0.0] * channels]
    std = [float(v) for v in encoding.get("std") or [1.0] * channels]
    numbers = (scale, offset, *mean, *std)
    if len(mean) != channels or len(std) != channels or not all(map(math.isfinite, numbers)) or min(scale, *std) <= 0:
        raise DetrtError(
            f"scale {scale:g}, offset {offset:g}, mean {mean} and std {std} encode no picture of {channels} channels",
            "model.input.encoding", "give positive scale and std, and one mean and std a channel",
        )  # fmt: skip
    gains = [1.0 / (scale * s) for s in std]
    zeros = [(m - offset) * scale for m in mean]
    common = float(np.float32(max(gains)))
    if not 1e-12 < common < 1e12:
        raise DetrtError(f"one step of a byte stands for {common:g}", "model.input.encoding", "choose another scale")
    middle = min(255, max(0, round((min(zeros) + max(zeros)) / 2)))
    rests = tuple(0.0 if abs(middle - zero) < WHOLE else middle - zero for zero in zeros)
    shares = (1.0,) * channels if len(set(gains)) == 1 else tuple(gain / common for gain in gains)
    return Entry(Quant(common, middle - 128), shares, rests)


def entries(plan: Plan, model_input: Mapping[str, Any]) -> dict[str, Entry]:
    """By name, every tensor whose bytes of the picture do not mean what its Quant says, and how its channels are to be read.

    DetrtError, for all such places at once, where a step can neither pass such bytes on nor absorb their encoding.
    """
    entry = entry_of(model_input)
    if entry.plain:
        return {}
    known = {plan.input: entry}
    problems: list[str] = []
    for step in plan.steps:
        inputs = [known.get(plan.source(name)) for name in step.inputs]
        if not any(inputs):
            continue
        first, channels = inputs[0], _channels(plan, step)
        if first is None or step.inputs[0] in plan.aliases or (channels is None and step.kernel not in ABSORBING):
            problems.append(
                f"`{step.name}` ({step.where}) reads the picture, but only a convolution absorbs its encoding"
            )
        elif any(step.pad) and step.kernel != "max_pool" and not first.holds_zero:
            problems.append(f"`{step.name}` ({step.where}) pads with 0.0, which no byte of the picture stands for")
        elif channels is not None:
            known[step.output] = first.picked(channels)
    if problems:
        raise DetrtError(
            "; ".join(problems), "model.input.encoding",
            "give one mean and std for all channels, with (mean - offset) * scale a whole number of 0 .. 255",
        )  # fmt: skip
    return known


ABSORBING = ("conv", "depthwise")


def _channels(plan: Plan, step: PlanStep) -> Sequence[int] | None:
    """Which channel of its input each channel of a moving step's output holds, or None."""
    count = plan.tensors[step.inputs[0]].shape[-1]
    match step.kernel:
        case "max_pool" | "resize" | "pad":
            return range(count)
        case "channels":
            return range(step.first, step.first + (step.count - 1) * step.every + 1, step.every)
        case "shuffle":
            return [int(c) for c in np.arange(count).reshape(step.groups, -1).T.reshape(-1)]
        case "space_to_depth":
            return list(range(count)) * len(step.order)
    return None

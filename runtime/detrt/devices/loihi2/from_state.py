"""From a plan and trained weights to the integers of the chip, as lava-dl's export makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.devices.loihi2.netlayers import LARGEST_THRESHOLD
from detrt.devices.loihi2.network import WEIGHT_SCALE, Conv, Dense, Flatten, Input, Ints, Layer, Network
from detrt.devices.loihi2.plan import LayerPlan, NetPlan, NeuronPlan
from detrt.errors import DetrtError

Reals = npt.NDArray[np.float64]
STEPS = 32
"""Steps a unit of a weight of 8 bits (lava-dl 0.6.0, slayer/utils/quantize: 2 of 64)."""
RANGE = (-128, 127)
"""A weight's steps."""


@dataclass(frozen=True, slots=True)
class Clipped:
    """What of a layer lay beyond -4 .. 3.97 and was held at the ends: how many weights and means, and the largest of each."""

    weights: int
    largest_weight: float
    means: int
    largest_mean: float

    def __str__(self) -> str:
        parts = []
        for count, largest, what in (
            (self.weights, self.largest_weight, "weights"),
            (self.means, self.largest_mean, "means"),
        ):
            if count:
                parts.append(f"{count:,} {what} (the largest {largest:+.2f})")
        return f"{' and '.join(parts)} lie beyond -4 .. 3.97 and are held at the ends, in training as here"


def q8(values: Reals) -> Ints:
    """64 times a value in steps of 1/32 between -4 and 254 / 64, ties to even: an even integer in [-256, 254]."""
    steps = np.clip(np.rint(values * STEPS), *RANGE).astype(np.int64)
    return steps * (WEIGHT_SCALE // STEPS)


def from_state(net: NetPlan, state: Mapping[str, Any]) -> Network:
    """The network of a plan with the weights of a state_dict (of numpy arrays or torch tensors).

    DetrtError names all that is missing, of another shape or not finite, and all that a `.net` file cannot hold.
    """
    return clipped_from_state(net, state)[0]


def clipped_from_state(net: NetPlan, state: Mapping[str, Any]) -> tuple[Network, dict[str, Clipped]]:
    """As `from_state`, and by name of the layer what was clipped."""
    reading = _Reading(state)
    clipped: dict[str, Clipped] = {}
    layers: list[Layer] = []
    shape = net.layers[0].shape
    for layer in net.layers:
        made = reading.layer(layer, shape, clipped)
        if made is not None:
            layers.append(made)
        shape = layer.shape
    if reading.problems:
        raise DetrtError(
            "the checkpoint cannot be put into whole numbers\n  " + "\n  ".join(reading.problems),
            remedy="export a checkpoint of this very build",
        )
    return Network(tuple(layers)), clipped


class _Reading:
    """Takes tensors from a state, and writes down in `problems` what is wrong."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._state = state
        self.problems: list[str] = []

    def layer(self, layer: LayerPlan, before: tuple[int, ...], clipped: dict[str, Clipped]) -> Layer | None:
        if layer.type == "flatten":
            return Flatten()
        count = len(self.problems)
        vth = self._threshold(layer, layer.neuron) if layer.neuron is not None else 0
        if layer.type == "input":
            return Input(layer.shape, vth) if len(self.problems) == count else None
        real = self._weight(layer)
        means = self._means(layer, layer.neuron)
        if real is None or len(self.problems) > count:
            return None
        weight = q8(real)
        if not _fits(layer, weight, before):
            self.problems.append(
                f"{layer.module}: weights of shape {weight.shape} do not lead from {before} to {layer.shape}"
            )
            return None
        bias = None if means is None else -q8(means)
        beyond, far = _beyond(real), _beyond(means) if means is not None else np.empty(0)
        if beyond.size or far.size:
            clipped[layer.name] = Clipped(beyond.size, _largest(beyond), far.size, _largest(far))
        if layer.type == "dense":
            return Dense(weight, bias, vth, layer.sigma, layer.delay)
        return Conv(weight, bias, layer.stride, layer.pad, layer.dilation, layer.groups, vth, layer.sigma, layer.delay)

    def _tensor(self, name: str) -> Reals | None:
        if name not in self._state:
            self.problems.append(f"{name}: is missing")
            return None
        given = self._state[name]
        given = given.detach().cpu().numpy() if hasattr(given, "detach") else given
        values: Reals = np.asarray(given, np.float64)
        if not np.isfinite(values).all():
            self.problems.append(f"{name}: has numbers that are not finite")
            return None
        return values

    def _weight(self, layer: LayerPlan) -> Reals | None:
        """The real weights. Those of a weight norm are made in float64, as in training on the device's numbers."""
        if f"{layer.module}.bias" in self._state:
            self.problems.append(
                f"{layer.module}.bias: neurons have biases, layers none; give the layer `bias = false`"
            )
        if not layer.weight_norm:
            return self._tensor(f"{layer.module}.weight")
        direction, length = self._tensor(f"{layer.module}.weight_v"), self._tensor(f"{layer.module}.weight_g")
        if direction is None or length is None:
            return None
        norm = np.sqrt(np.square(direction).sum(axis=tuple(range(1, direction.ndim)), keepdims=True))
        if not norm.all() or length.shape != norm.shape:
            self.problems.append(f"{layer.module}: has an output of no direction or lengths of shape {length.shape}")
            return None
        product: Reals = direction * (length / norm)
        return product

    def _means(self, layer: LayerPlan, neuron: NeuronPlan | None) -> Reals | None:
        if neuron is None or not neuron.norm:
            return None
        name = f"{neuron.module}.norm.running_mean"
        means = self._tensor(name)
        if means is not None and means.shape != layer.shape[:1]:
            self.problems.append(f"{name}: has the shape {means.shape}, not {layer.shape[:1]}")
        return means

    def _threshold(self, layer: LayerPlan, neuron: NeuronPlan) -> int:
        """Times 64, rounded down, as the device holds it."""
        name = f"{neuron.module}.threshold"
        values = self._tensor(name)
        if layer.type != "input" and neuron.activation != "relu":
            self.problems.append(f"{layer.name}: has no relu, and netx gives every neuron one; add `activation = relu`")
        if values is None:
            return 0
        if values.size != 1:
            self.problems.append(f"{name}: has a value a channel, and a `.net` file holds one for the layer")
            return 0
        found = int(np.floor(values.ravel()[0] * WEIGHT_SCALE))
        if found > LARGEST_THRESHOLD:
            most = LARGEST_THRESHOLD // WEIGHT_SCALE
            self.problems.append(f"{name}: is {values.ravel()[0]:g}; the device holds thresholds up to {most}")
        if found < 1:
            self.problems.append(
                f"{name}: is {values.ravel()[0]:g}; below 1/64 the device has 0, and every neuron always sends"
            )
        return found


def _fits(layer: LayerPlan, weight: Ints, before: tuple[int, ...]) -> bool:
    outputs = weight.shape[:1] == layer.shape[:1]
    if layer.type == "dense":
        return outputs and weight.shape[1:] == before
    if weight.ndim != 4 or len(before) != 3 or not outputs or weight.shape[1] * layer.groups != before[0]:
        return False
    conv = Conv(weight, None, layer.stride, layer.pad, layer.dilation, layer.groups, 1)
    return not len(weight) % layer.groups and conv.out_shape(before) == layer.shape


def _beyond(values: Reals) -> Reals:
    steps = np.rint(values * STEPS)
    found: Reals = values[(steps < RANGE[0]) | (steps > RANGE[1])]
    return found


def _largest(values: Reals) -> float:
    return float(values[np.argmax(np.abs(values))]) if values.size else 0.0

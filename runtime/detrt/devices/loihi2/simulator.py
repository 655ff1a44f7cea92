"""The integer simulator: each step of each neuron as netx takes it on the CPU (lava 0.10.0, lava-dl 0.6.0, `fixed_pt` models).

With E = `spike_exp`, a value v is the state v * 2^(E + 12) and the message v * 2^(E + 6). One step of a layer:

    z = what the messages of the step before brought        sigma += z (the layer that is read out gives sigma and stops)
    a = max(sigma + bias * 2^(E + 6), 0)                     d = a - (what the receivers know)
    sends d >> 6 where |d| >= vth * 2^(E + 6), else nothing; what was sent is then taken as known, though >> floors

"What the receivers know" is netx's last activation less its residue: one number instead of two, the same differences. A neuron
to which nothing comes changes nothing, so after the first step only reached places are worked on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detrt.devices.loihi2.network import Conv, Dense, Ints, Network, Shape, Weighted
from detrt.devices.loihi2.neurons import MESSAGE_LIMIT, STATE_EXP, Neurons, Overflows, States
from detrt.devices.loihi2.synapses import Arrival, ConvSynapses, DenseSynapses, Messages
from detrt.errors import DetrtError

SPIKE_EXP = 6
"""The E whose messages lie on slayer's grid of 1/4096."""
MOST_SPIKE_EXP = 10


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """What came out of T steps of a network of L layers.

    `outputs` int64 [T, O, h, w] (or [T, n]): states of the layer that is read out, value = state / 2^(E + 12); of a network
    that sends instead, its messages. `events` int64 [T, L] counts messages sent, `operations` int64 [T, L] the weights that
    messages were multiplied with on arrival. `overflows` of these steps has one entry a layer.
    """

    outputs: Ints
    events: Ints
    operations: Ints
    overflows: tuple[Overflows, ...]

    def __iter__(self) -> Iterator[Ints]:
        """`outputs, events = simulate(..)`."""
        return iter((self.outputs, self.events))


class _Layer:
    """A layer with weights in time: what its synapses hold for the next step, its neurons, and messages on their way."""

    def __init__(self, layer: Weighted, shape: Shape, spike_exp: int) -> None:
        self.reads_out = layer.sigma
        self.synapses = ConvSynapses(layer, shape) if isinstance(layer, Conv) else DenseSynapses(layer)
        self.neurons = Neurons(layer, layer.out_shape(shape), spike_exp)
        self._held = Arrival(np.empty(0, np.intp), np.empty((0, len(layer.weight)), np.int64))
        self._axons: deque[Messages] = deque()
        self._delay = layer.delay

    def step(self, messages: Messages) -> tuple[States, int, int]:
        """Messages [h, w, C] (or the states of the read-out), messages sent, operations done."""
        arrival, self._held = self._held, self.synapses(messages)
        if self.reads_out:
            states = self.neurons.read_out(arrival)
            return states.reshape(self.neurons.map), 0, self._held.operations
        sent = self.neurons(arrival)
        events = int(np.count_nonzero(sent))
        self._axons.append(sent)
        late = self._axons.popleft() if len(self._axons) > self._delay else np.zeros_like(sent)
        return late, events, self._held.operations


class Simulator:
    """A network in time. States go on from frame to frame until `reset`.

    DetrtError for a `spike_exp` outside 0 .. 10.
    """

    def __init__(self, network: Network, spike_exp: int = SPIKE_EXP) -> None:
        if not 0 <= spike_exp <= MOST_SPIKE_EXP:
            raise DetrtError(f"spike_exp = {spike_exp} is no exponent of messages", remedy=f"0 .. {MOST_SPIKE_EXP}")
        self.network, self.spike_exp = network, spike_exp
        self.reset()

    def reset(self) -> None:
        """All states back to 0."""
        shapes = self.network.shapes
        self._encoder = Neurons(self.network.input, shapes[0], self.spike_exp)
        self._layers = [
            _Layer(layer, before, self.spike_exp) if isinstance(layer, Conv | Dense) else None
            for before, layer in zip(shapes, self.network.layers[1:], strict=False)
        ]

    def run(self, frames: npt.NDArray[np.integer]) -> Simulated:
        """One step for each frame of `frames`, integers [T, C, H, W] (or [T, n]): values times 64.

        DetrtError for another shape, or for numbers that are no 16-bit integers.
        """
        frames = np.asarray(frames)
        shape = self.network.input.shape
        if frames.dtype.kind not in "iu" or frames.shape[1:] != shape:
            raise DetrtError(f"the network takes integers of shape T, {shape}, not {frames.dtype} {frames.shape}")
        if frames.size and (frames.max() >= MESSAGE_LIMIT or frames.min() < -MESSAGE_LIMIT):
            raise DetrtError("the frames hold numbers beyond 16 bits", remedy="give values times 64")
        steps, layers = len(frames), len(self.network.layers)
        events, operations = np.zeros((steps, layers), np.int64), np.zeros((steps, layers), np.int64)
        outputs = np.zeros((steps, *self.network.output_shape), np.int64)
        for t, frame in enumerate(frames):
            outputs[t] = self._step(frame, events[t], operations[t])
        return Simulated(outputs, events, operations, self._overflows())

    def _step(self, frame: npt.NDArray[np.integer], events: Ints, operations: Ints) -> States:
        states = _places(frame).astype(np.int32) << (self.spike_exp + STATE_EXP)
        values: States = self._encoder.encode(states)
        events[0] = np.count_nonzero(values)
        for i, layer in enumerate(self._layers, start=1):
            if layer is None:
                values = values.transpose(2, 0, 1).reshape(1, 1, -1)
            else:
                values, events[i], operations[i] = layer.step(values)
        channels_first: States = values.transpose(2, 0, 1).reshape(self.network.output_shape)
        return channels_first

    def _overflows(self) -> tuple[Overflows, ...]:
        """Of each layer of the network, since they were last asked for."""
        counted = [Overflows() if layer is None else layer.neurons.counted() for layer in self._layers]
        return (self._encoder.counted(), *counted)


def _places(frame: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """[C, H, W] or [n] as [places, channels]."""
    if frame.ndim == 1:
        return frame[None]
    return np.ascontiguousarray(frame.reshape(len(frame), -1).T)


def simulate(network: Network, frames: npt.NDArray[np.integer], spike_exp: int = SPIKE_EXP) -> Simulated:
    """`Simulator(network, spike_exp).run(frames)`: a clip from the beginning."""
    return Simulator(network, spike_exp).run(frames)

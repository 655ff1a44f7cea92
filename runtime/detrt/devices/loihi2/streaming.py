"""The networks of an artifacts folder over the frames of a video, one step a frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detrt.devices.loihi2.network import Conv, Dense, Flatten, Ints
from detrt.devices.loihi2.simulator import Simulator
from detrt.heads.detections import Detections
from detrt.stream import Events

if TYPE_CHECKING:
    from detrt.devices.loihi2.artifacts import ArtifactModel


class NetStream:
    """All nets of a model side by side, from states of 0: see `detrt.stream.Stream`.

    Nets that are done earlier than others wait for these, so that all outputs are of one frame.
    """

    def __init__(self, model: ArtifactModel) -> None:
        self._model = model
        self._decode = model.decode
        self._runs = [Simulator(net.network, model.spike_exp) for net in model.nets]
        self.latency = model.latency
        self._waiting: list[deque[Ints]] = [deque() for _ in model.nets]
        self._step = 0
        neurons: dict[str, int] = {}
        behind: dict[str, int] = {}
        for net in model.nets:
            late = 0
            for number, (layer, shape) in enumerate(zip(net.network.layers, net.network.shapes, strict=True)):
                late += isinstance(layer, Conv | Dense)
                if not isinstance(layer, Flatten) and not (isinstance(layer, Conv | Dense) and layer.sigma):
                    label = model.label(net, number)
                    neurons[label], behind[label] = prod(shape), late
                late += layer.delay if isinstance(layer, Conv | Dense) else 0
        self.neurons: Mapping[str, int] = neurons
        self.late: Mapping[str, int] = behind

    def step(self, frame: npt.NDArray[np.uint8]) -> tuple[Detections | None, Events]:
        """A frame u8 [height, width, channels] in the net's colour order goes in."""
        encoded = self._model.encode(frame)[None]
        events: Events = {}
        for net, run, waiting in zip(self._model.nets, self._runs, self._waiting, strict=True):
            made = self._model.noted(net, run.run(encoded))
            for number in range(len(net.names)):
                label = self._model.label(net, number)
                if label in self.neurons:
                    events[label] = int(made.events[0, number])
            if self._step >= net.network.latency:
                waiting.append(made.outputs[0])
        self._step += 1
        if not all(self._waiting):
            return None, events
        return self._decode(self._model.values([waiting.popleft() for waiting in self._waiting])), events

"""Sigma-delta neurons in whole numbers: what they hold, and what they send."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detrt.devices.loihi2.network import Input, Shape, Weighted
from detrt.devices.loihi2.synapses import Arrival, Messages

STATE_EXP = 6
"""Binary digits of a state below those of a message."""
MESSAGE_LIMIT = 1 << 15
"""Magnitude of a graded message of 16 bits; netx neither clips nor wraps larger ones."""
STATE_LIMIT = 1 << 23
"""Magnitude of a state of 24 bits; netx holds 32."""

States = npt.NDArray[np.int32]


@dataclass(slots=True)
class Overflows:
    """How often a layer left the ranges of the chip: `sums` of a convolution that wrapped around 24 bits, `states` beyond 24
    bits, `messages` beyond 16 bits."""

    sums: int = 0
    states: int = 0
    messages: int = 0

    def __bool__(self) -> bool:
        return bool(self.sums or self.states or self.messages)

    def __str__(self) -> str:
        parts = (
            (self.sums, "sums of a step wrapped around 24 bits"),
            (self.states, "states left 24 bits"),
            (self.messages, "messages left 16 bits"),
        )
        return ", ".join(f"{count:,} {what}" for count, what in parts if count)

    def add(self, other: Overflows) -> None:
        self.sums += other.sums
        self.states += other.states
        self.messages += other.messages


class Neurons:
    """The states of a layer's neurons, [places, channels], and what they send."""

    def __init__(self, layer: Input | Weighted, shape: Shape, spike_exp: int) -> None:
        channels, *sides = shape
        self.map = (*sides, channels) if sides else (1, 1, channels)
        size = (self.map[0] * self.map[1], channels)
        self._threshold = layer.vth << (spike_exp + STATE_EXP)
        bias = None if isinstance(layer, Input) or layer.bias is None else layer.bias
        self._bias = np.int32(0) if bias is None else (bias << (spike_exp + STATE_EXP)).astype(np.int32)
        self._known: States = np.zeros(size, np.int32)
        self.sigma: States = np.zeros(size, np.int32)
        self._began = False
        self._overflows = Overflows()

    def counted(self) -> Overflows:
        """What left the chip's ranges since this was last asked."""
        found, self._overflows = self._overflows, Overflows()
        return found

    def encode(self, values: States) -> Messages:
        """Messages of the delta encoder for the states `values` [places, channels]."""
        return self._send(values, np.arange(len(values)))

    def read_out(self, arrival: Arrival) -> States:
        """The sums so far."""
        self._add(arrival)
        return self.sigma

    def __call__(self, arrival: Arrival) -> Messages:
        """Messages [h, w, channels] of a step at whose begin `arrival` came."""
        self._add(arrival)
        places = arrival.places
        if not self._began:  # a bias is there before anything comes
            places, self._began = np.arange(len(self.sigma)), True
        active: States = np.maximum(self.sigma[places] + self._bias, np.int32(0))
        return self._send(active, places)

    def _add(self, arrival: Arrival) -> None:
        sums = (self.sigma[arrival.places] + arrival.sums.astype(np.int32)).astype(np.int32)
        self.sigma[arrival.places] = sums
        self._overflows.sums += arrival.wrapped
        self._overflows.states += _beyond(sums, STATE_LIMIT)

    def _send(self, active: States, places: npt.NDArray[np.intp]) -> Messages:
        change = active - self._known[places]
        fires = np.abs(change) >= self._threshold
        self._known[places] += np.where(fires, change, np.int32(0))
        messages = np.zeros(self.sigma.shape, np.int32)
        messages[places] = np.where(fires, change >> STATE_EXP, np.int32(0))
        self._overflows.messages += _beyond(messages, MESSAGE_LIMIT)
        return messages.reshape(self.map)


def _beyond(values: States, limit: int) -> int:
    return int(np.count_nonzero((values >= limit) | (values < -limit)))

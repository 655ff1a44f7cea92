"""Neurons of spiking nets, and what carries their messages: the modules of lava-dl (lava-nc/lava-dl@d825ac5, slayer).

A neuron keeps the shape of the map or vector it is given at every time step; time is no axis of a tensor here. Each has two
scalars among its parameters, as lava-dl has: they are counted with the net's parameters and have no row of their own. They
are frozen, but for the threshold of a neuron that is `trainable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from detc.ir.op import Argument, Op, Problem, TorchCall
from detc.ir.ops.conv import Pair, needs_map, square
from detc.ir.types import TensorType

_THRESHOLD = Argument("threshold", "float", 0.1)
_GRADIENT = (Argument("tau_grad", "float", 0.1), Argument("scale_grad", "float", 0.1))
_NORM = Argument("norm", "name", None, choices=("mean_only_batch",))
_SHARED = Argument("shared", "bool", True)
_TRAINABLE = Argument("trainable", "bool", False)
_MESSAGE = Argument("message", "bits", 16)
_DELAY = Argument("delay", "steps", 0)

MESSAGE_BITS = 32
"""The widest payload of a graded event (Intel, Loihi 2 technology brief)."""
LONGEST_DELAY = 62
"""Steps by which an axon can hold an event back (lava-dl 0.6.0, lib/dl/netx/utils.py)."""


def _not_positive(**values: float) -> Problem | None:
    """The problem of the first value that is not above 0."""
    return next((Problem(f"has {k} = {v:g}; it lies above 0") for k, v in values.items() if v <= 0), None)


def _needs_channels(inputs: Sequence[TensorType]) -> Problem | None:
    """The problem of a neuron on neither a map nor a vector, or None."""
    if len(inputs[0].shape) in (1, 3):
        return None
    return Problem(f"needs a map [channels, height, width] or a vector [features], got {inputs[0]}")


def _unfit_events(message: int, delay: int = 0) -> Problem | None:
    """The problem of events that cannot be sent: too wide a payload, or held back too long."""
    if not 1 <= message <= MESSAGE_BITS:
        return Problem(f"has message = {message} bits; an event carries 1 .. {MESSAGE_BITS} bits")
    if not 0 <= delay <= LONGEST_DELAY:
        return Problem(f"has delay = {delay}; an event is held back by 0 .. {LONGEST_DELAY} steps")
    return None


def _keywords(**values: tuple[Any, Any]) -> tuple[tuple[str, Any], ...]:
    """(name, value) of those (value, default) that differ from torch's default."""
    return tuple((name, value) for name, (value, default) in values.items() if value != default)


def _per_channel(names: tuple[str, ...], norm: str | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The tensors with a value a channel, and the means of a norm."""
    return tuple((name, ("out",)) for name in (*names, *(("norm.running_mean",) if norm else ())))


@dataclass(frozen=True)
class Encode(Op):
    """The first neuron of a sigma-delta net: sends a value when it has changed by `threshold` (lava's `Input` block).

    `message` is the payload of an event in bits."""

    name: ClassVar[str] = "neuron.encode"
    channelwise: ClassVar[bool] = True
    arguments: ClassVar[tuple[Argument, ...]] = (_THRESHOLD, *_GRADIENT, _TRAINABLE, _MESSAGE)

    threshold: float = 0.1
    tau_grad: float = 0.1
    scale_grad: float = 0.1
    trainable: bool = False
    message: int = 16

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        problem = _needs_channels(inputs) or _not_positive(threshold=self.threshold) or _unfit_events(self.message)
        return problem or TensorType(inputs[0].shape)

    def params(self, inputs: Sequence[TensorType]) -> int:
        return 2

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        return TorchCall("DeltaEncoder", (("threshold", self.threshold), *_keywords(trainable=(self.trainable, False))))


@dataclass(frozen=True)
class SigmaDelta(Op):
    """Adds up the changes that come in, subtracts the channel's mean, applies `activation` and sends changes of at least
    `threshold` on. With `shared` one threshold serves all channels, else each has its own; `trainable` ones learn, and
    `tau_grad` and `scale_grad` shape their gradient. An event has `message` bits of payload and is held back by `delay` steps.
    """

    name: ClassVar[str] = "neuron.sigma_delta"
    channelwise: ClassVar[bool] = True
    arguments: ClassVar[tuple[Argument, ...]] = (
        _THRESHOLD,
        *_GRADIENT,
        Argument("activation", "name", None, choices=("relu",)),
        _NORM,
        _SHARED,
        _TRAINABLE,
        _MESSAGE,
        _DELAY,
    )

    threshold: float = 0.1
    tau_grad: float = 0.1
    scale_grad: float = 0.1
    activation: str | None = None
    norm: str | None = None
    shared: bool = True
    trainable: bool = False
    message: int = 16
    delay: int = 0

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        problem = _needs_channels(inputs) or _not_positive(threshold=self.threshold)
        return problem or _unfit_events(self.message, self.delay) or TensorType(inputs[0].shape)

    def params(self, inputs: Sequence[TensorType]) -> int:
        return 2 if self.shared else 1 + inputs[0].channels

    def tensors(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return _per_channel(() if self.shared else ("threshold",), self.norm)

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        given = _keywords(
            activation=(self.activation, None),
            norm=(self.norm, None),
            shared=(self.shared, True),
            trainable=(self.trainable, False),
        )
        return TorchCall("SigmaDelta", (("", inputs[0].channels), ("threshold", self.threshold), *given))


@dataclass(frozen=True)
class Cuba(Op):
    """Leaky integrate-and-fire with current (CUBA): current and voltage lose the shares `current_decay` and
    `voltage_decay` a step; at `threshold` it sends a spike and begins again at 0."""

    name: ClassVar[str] = "neuron.cuba"
    channelwise: ClassVar[bool] = True
    arguments: ClassVar[tuple[Argument, ...]] = (
        _THRESHOLD,
        Argument("current_decay", "float", 1.0),
        Argument("voltage_decay", "float", 0.1),
        *_GRADIENT,
        _NORM,
        _SHARED,
    )

    threshold: float = 0.1
    current_decay: float = 1.0
    voltage_decay: float = 0.1
    tau_grad: float = 0.1
    scale_grad: float = 0.1
    norm: str | None = None
    shared: bool = True

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        for name, share in (("current_decay", self.current_decay), ("voltage_decay", self.voltage_decay)):
            if not 0 < share <= 1:
                return Problem(f"has {name} = {share:g}; a share lost a step lies above 0 and is at most 1")
        return _needs_channels(inputs) or _not_positive(threshold=self.threshold) or TensorType(inputs[0].shape)

    def params(self, inputs: Sequence[TensorType]) -> int:
        return 2 * (1 if self.shared else inputs[0].channels)

    def tensors(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return _per_channel(() if self.shared else ("current_decay", "voltage_decay"), self.norm)

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        given = _keywords(
            current_decay=(self.current_decay, 1.0),
            voltage_decay=(self.voltage_decay, 0.1),
            norm=(self.norm, None),
            shared=(self.shared, True),
        )
        return TorchCall("Cuba", (("", inputs[0].channels), ("threshold", self.threshold), *given))


@dataclass(frozen=True)
class Sigma(Op):
    """Adds up the changes that come in: the values themselves, behind the last layer."""

    name: ClassVar[str] = "neuron.sigma"
    channelwise: ClassVar[bool] = True

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        return _needs_channels(inputs) or TensorType(inputs[0].shape)

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        return TorchCall("Sigma")


@dataclass(frozen=True)
class Unpool(Op):
    """Spreads each value over a window of `k` with one weight a place, the same for all channels (lava's `Unpool` synapse)."""

    name: ClassVar[str] = "unpool"
    channelwise: ClassVar[bool] = True
    arguments: ClassVar[tuple[Argument, ...]] = (Argument("k", "dims", (2, 2), keyword=False),)

    k: Pair = (2, 2)

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        if problem := needs_map(inputs):
            return problem
        if min(self.k) < 1:
            return Problem("needs a window of at least 1x1")
        x = inputs[0]
        return TensorType((x.channels, x.height * self.k[0], x.width * self.k[1]))

    def params(self, inputs: Sequence[TensorType]) -> int:
        return self.k[0] * self.k[1] + 1

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        return TorchCall("Unpool", (("", square(self.k)),))

    def row(self) -> dict[str, Any]:
        return {**super().row(), "kernel": list(self.k), "stride": list(self.k), "padding": [0, 0]}


OPS = (Encode, SigmaDelta, Cuba, Sigma, Unpool)

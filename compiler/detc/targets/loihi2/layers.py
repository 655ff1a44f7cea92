"""A net as the chip sees it: one chain of layers, each a convolution or dense layer with the neurons behind it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from detc.ir.graph import Node
from detc.ir.ops.conv import Conv, Linear
from detc.ir.ops.neuron import Encode, SigmaDelta

Neuron = Encode | SigmaDelta


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a `.net` file. `kind` is input, conv, dense or flatten; `node` names it in reports.

    `neurons` is the node of its neurons that send events, None for a flatten and where `sigma` (the read-out) stands.
    `in_shape` and `shape` are [channels, height, width] or [features].
    """

    kind: str
    node: Node
    in_shape: tuple[int, ...]
    shape: tuple[int, ...]
    neurons: Node | None = None
    sigma: Node | None = None
    macs: int = 0

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def op(self) -> Conv | Linear:
        """The operation of a conv or dense layer."""
        assert isinstance(self.node.op, Conv | Linear)
        return self.node.op

    @property
    def multiplies(self) -> bool:
        """Whether it takes cores and a time step: conv and dense."""
        return self.kind in ("conv", "dense")

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def delay(self) -> int:
        """Steps by which the layer's axons hold its events back."""
        op = self.neurons.op if self.neurons else None
        return op.delay if isinstance(op, SigmaDelta) else 0

    @property
    def nodes(self) -> tuple[Node, ...]:
        found = (self.node, self.neurons, self.sigma)
        return tuple(dict.fromkeys(node for node in found if node is not None))


@dataclass(frozen=True, slots=True)
class Net:
    """A chain from the model's input to one tensor of an output: tensor `index` of output `output`."""

    name: str
    output: str
    index: int
    input: Node
    layers: tuple[Layer, ...]

    @property
    def depth(self) -> int:
        """Layers that take a time step."""
        return sum(layer.multiplies for layer in self.layers)

    @property
    def delay(self) -> int:
        """Steps by which axons hold events back, over all layers."""
        return sum(layer.delay for layer in self.layers)


def module_of(node: Node) -> str:
    """The prefix of a node's tensors in a state_dict."""
    return node.module or node.name


def neuron_of(node: Node) -> Neuron:
    assert isinstance(node.op, Encode | SigmaDelta)
    return node.op

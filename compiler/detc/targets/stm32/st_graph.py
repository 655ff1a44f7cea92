"""Our lowered graph as ST's tools would see it: channels last, int8, activations other than ReLU as operators of their own."""

from __future__ import annotations

from dataclasses import replace

from detc.ir.graph import Graph, Node
from detc.ir.ops.activation import Activation, Relu, Silu, Softmax
from detc.ir.ops.combine import Add, Channels, Concat, Flatten, Identity, Mul, Reshape, Shuffle, SpaceToDepth
from detc.ir.ops.conv import Conv, Linear
from detc.ir.ops.norm import BatchNorm, Dropout
from detc.ir.ops.pool import AvgPool, MaxPool, Pad, SamplePool, Upsample
from detc.ir.ops.source import Input
from detc.ir.types import TensorType
from detc.targets.stm32.st_ops import Pair, Shape, StModel, StOp, StTensor

_ALIASES = (Identity, Dropout, Flatten, Reshape)
_KNOWN = (Input, Conv, Linear, BatchNorm, Softmax, Activation, MaxPool, AvgPool, Pad, Add, Mul, *_ALIASES)
_APART = (Concat, Channels, Shuffle, SpaceToDepth, Upsample, SamplePool)
"""Ops that keep their inputs and output side by side."""


def of_graph(graph: Graph) -> StModel | None:
    """The model of a lowered graph, all tensors int8; None where ST's importers have no operator for a layer."""
    if not all(isinstance(node.op, _KNOWN + _APART) for node in graph):
        return None
    making = _Making(graph)
    for node in graph:
        making.node(node)
    inputs = tuple(node.name for node in graph.inputs)
    return StModel(making.tensors, tuple(making.ops), inputs, tuple(dict.fromkeys(graph.output_nodes)))


def channels_last(type: TensorType) -> Shape:
    return (type.height, type.width, type.channels) if type.is_map else type.shape


class _Making:
    """The model under construction."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors: dict[str, StTensor] = {}
        self.ops: list[StOp] = []

    def tensor(self, name: str, shape: Shape, constant: bool = False) -> str:
        self.tensors.setdefault(name, StTensor(name, shape, 1, constant))
        return name

    def node(self, node: Node) -> None:
        self.tensor(node.name, channels_last(node.type))
        if isinstance(node.op, Input):
            return
        op = self.operator(node)
        activation = getattr(node.op, "activation", None)
        if activation is None or activation[0] == Relu.name:  # a ReLU only narrows the range of what the layer writes
            self.ops.append(op)
            return
        before = self.tensor(f"{node.name}.before", channels_last(node.type))
        self.ops.append(replace(op, outputs=(before,)))
        self.activation(node, before, str(activation[0]))

    def activation(self, node: Node, read: str, word: str) -> None:
        """One operator; SiLU is a sigmoid and a product, as exporters write it."""
        op = StOp(f"{node.name}.{word}", "activation", (read,), (node.name,), word=word, span=node.span, via=node.via)
        if word == Silu.name:
            gate = self.tensor(f"{node.name}.gate", channels_last(node.type))
            self.ops.append(replace(op, outputs=(gate,)))
            op = replace(op, kind="elementwise", inputs=(read, gate))
        self.ops.append(op)

    def operator(self, node: Node) -> StOp:
        op = node.op
        plain = StOp(node.name, "other", node.inputs, (node.name,), word=op.name, span=node.span, via=node.via)
        if isinstance(op, Conv):
            return self.convolution(node, op, plain)
        if isinstance(op, Linear):
            weights = (op.features, self.graph[node.inputs[0]].type.elements)
            return replace(plain, kind="dense", constants=self.constants(node, weights, op.features))
        if isinstance(op, MaxPool | AvgPool) and op.k is not None:
            return replace(plain, kind="pool", kernel=op.k)
        if isinstance(op, BatchNorm):
            size = (node.type.channels,)
            factors = (self.tensor(f"{node.name}.scale", size, True), self.tensor(f"{node.name}.shift", size, True))
            return replace(plain, kind="elementwise", constants=factors)
        if isinstance(op, Softmax):
            return replace(plain, kind="softmax")
        if isinstance(op, Pad):
            return replace(plain, kind="pad")
        if isinstance(op, Add | Mul | Activation):
            return replace(plain, kind="activation" if isinstance(op, Activation) else "elementwise")
        return replace(plain, kind="alias") if isinstance(op, _ALIASES) else plain

    def convolution(self, node: Node, op: Conv, plain: StOp) -> StOp:
        inputs = self.graph.input_types(node)
        depthwise = op.groups > 1 and op.groups == inputs[0].channels == op.channels
        return replace(
            plain,
            kind="depthwise" if depthwise else "conv",
            kernel=op.k,
            padding=_padding(op),
            groups=op.groups,
            constants=self.constants(node, op.weight_shape(inputs), op.channels),
        )

    def constants(self, node: Node, weights: Shape, outputs: int) -> tuple[str, ...]:
        """The names of a layer's weights and bias, which quantised layers always have; shared weights have one name."""
        module = node.module or node.name
        return self.tensor(f"{module}.weight", weights, True), self.tensor(f"{module}.bias", (outputs,), True)


def _padding(op: Conv) -> Pair:
    """Rows and columns by which the tool's copy of the input is larger: a window less one, or more where a spec pads more.

    ST's figures count a window less one for `same` even where stride 2 needs less.
    """
    if (*op.pad, *op.end) == (0, 0, 0, 0):
        return (0, 0)
    rows, columns = (max(d * (k - 1), 2 * p + e) for k, d, p, e in zip(op.k, op.dilation, op.pad, op.end, strict=True))
    return (rows, columns)

"""The net as the 5801 sees it: one chain of sublayers, each a conv with its ReLU, perhaps a shortcut, perhaps a pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from detc.diagnostics import Finding, Rule
from detc.ir.graph import Graph, Node
from detc.ir.ops.activation import Relu
from detc.ir.ops.combine import Add
from detc.ir.ops.conv import Conv
from detc.ir.ops.norm import BatchNorm
from detc.ir.ops.pool import MaxPool, SamplePool
from detc.targets.bounds import holds, place, used_at
from detc.targets.facts import Facts
from detc.targets.gti5801.chain_rules import (
    BRANCH,
    HOST_FIRST,
    NO_RELU,
    NOT_RELU,
    ONE_INPUT,
    ONE_OUTPUT,
    POOL_PLACE,
    RESIDUAL,
    UNSUPPORTED,
)

_INSTEAD = {
    "upsample": "predict on the smaller grid: the chip enlarges nothing",
    "concat": "use a wider conv, or a residual sum over two convs",
    "linear": "a 3x3 or 1x1 conv can stand for it",
    "avgpool": "`maxpool(2x2)` halves the map on the chip",
    "bn": "put it right behind a conv of its own, so that it folds into that conv, or drop it",
    "sigmoid": "train with ReLU outputs, or write `host(sigmoid)`: the host computes it",
    "softmax": "write `host(softmax)`: the host computes it",
}


@dataclass(slots=True)
class Sublayer:
    """One conv of the chain. `relu` is the ReLU's node name; `skip` says that the input of the sublayer before is added.

    `kind` is conv3x3, pointwise or depthwise, as in the plan. `size` is the height and width of its input map.
    """

    conv: Node
    op: Conv
    kind: str
    bits: int
    in_channels: int
    out_channels: int
    size: int
    source: int
    relu: str = ""
    cap: float | None = None
    skip: bool = False
    skip_node: Node | None = None
    pool: Node | None = None
    wide: bool = False

    @property
    def name(self) -> str:
        return self.conv.name

    @property
    def stored_size(self) -> int:
        return self.size // 2 if self.pool else self.size

    @property
    def mode(self) -> tuple[int, bool]:
        """What all sublayers of a major layer share besides their size: coefficient width, depth mode."""
        return (self.bits, self.kind != "conv3x3")


@dataclass(slots=True)
class Chain:
    """The chip's part of a model. `output` is the node whose tensor leaves the chip."""

    input: Node | None = None
    layers: list[Sublayer] = field(default_factory=list)
    output: Node | None = None
    findings: list[Finding] = field(default_factory=list)


def kind_of(op: Conv, in_channels: int) -> str:
    if op.groups > 1 and op.groups == in_channels == op.channels:
        return "depthwise"
    return "pointwise" if op.k == (1, 1) else "conv3x3"


def weight_bits(op: Conv, facts: Facts) -> int:
    """The coefficient width that the spec marks, else the target's `unmarked`."""
    if op.weights and len(op.weights) > 1 and isinstance(op.weights[1], int | float):
        return int(op.weights[1])
    return facts.number("type.weight.unmarked")


def read_chain(graph: Graph, host: frozenset[str], facts: Facts) -> Chain:
    """The chain of a lowered graph (batch norm folded, activations fused) with all that keeps it from being one."""
    return _Reader(graph, host, facts).read()


class _Reader:
    """Walks the graph once. `maps` numbers the stored maps by node name; `sums` holds convs still without their ReLU."""

    def __init__(self, graph: Graph, host: frozenset[str], facts: Facts):
        self.graph = graph
        self.host = host
        self.facts = facts
        self.chain = Chain()
        self.maps: dict[str, int] = {}
        self.sums: dict[str, Sublayer] = {}
        self.latest = -1
        self.reads: dict[int, int] = {}

    def read(self) -> Chain:
        inputs = self.graph.inputs
        if not holds(self.facts["limit.inputs"], len(inputs)):
            self.find(ONE_INPUT, inputs[-1] if inputs else None, "limit.inputs", actual=len(inputs))
        for node in self.graph:
            if node.name not in self.host:
                self.visit(node)
        self.close_output()
        return self.chain

    def find(self, rule: Rule, node: Node | None, limit: str, help: str | None = None, **facts: Any) -> None:
        span, via = (node.span, used_at(node)) if node else (None, ())
        related = (place(self.facts[limit]), *via)
        self.chain.findings.append(rule(span, related=related, help=help, name=node.name if node else "", **facts))

    def visit(self, node: Node) -> None:
        for source in node.inputs:
            if source in self.host:
                self.find(HOST_FIRST, node, "limit.inputs", source=source)
                self.maps.setdefault(source, self.latest)
        op = node.op
        if op.name == "input":
            if self.chain.input is None:
                self.chain.input = node
            self.store(node)
        elif not holds(self.facts["limit.ops"], op.name):
            self.unsupported(node)
        elif isinstance(op, Conv):
            self.conv(node, op)
        elif isinstance(op, Add):
            self.add(node)
        elif isinstance(op, Relu):
            self.relu(node, node.inputs[0], node.name, op.cap)
        elif isinstance(op, MaxPool | SamplePool):
            self.pool(node)
        else:
            self.alias(node, node.inputs[0])

    def store(self, node: Node) -> None:
        self.latest += 1
        self.maps[node.name] = self.latest
        self.chain.output = node

    def alias(self, node: Node, source: str) -> None:
        if source in self.sums:
            self.sums[node.name] = self.sums[source]
        else:
            self.maps[node.name] = self.maps.get(source, self.latest)
            if self.maps[node.name] == self.latest:
                self.chain.output = node

    def map_of(self, source: str) -> int:
        """The number of the map `source`; a sum is closed first, since it lacks its ReLU."""
        if source in self.sums:
            layer = self.sums[source]
            self.find(NO_RELU, layer.conv, "limit.activations", cap=self.facts.number("type.activation.cap"))
            self.close(layer, self.graph[source])
        return self.maps.get(source, self.latest)

    def close(self, layer: Sublayer, node: Node) -> None:
        for name in [name for name, sum_layer in self.sums.items() if sum_layer is layer]:
            del self.sums[name]
            self.maps[name] = self.latest + 1
        self.store(node)

    def read_map(self, node: Node) -> int:
        """The number of the map that a conv or pool reads; a finding where it is not the last one, or read already."""
        source = self.map_of(node.inputs[0])
        self.reads[source] = self.reads.get(source, 0) + 1
        if source != self.latest or not holds(self.facts["limit.readers"], self.reads[source]):
            self.find(BRANCH, node, "limit.readers")
        return source

    def conv(self, node: Node, op: Conv) -> None:
        source = self.read_map(node)
        x = self.graph[node.inputs[0]].type
        layer = Sublayer(
            conv=node,
            op=op,
            kind=kind_of(op, x.channels),
            bits=weight_bits(op, self.facts),
            in_channels=x.channels,
            out_channels=op.channels,
            size=x.height,
            source=source,
        )
        self.chain.layers.append(layer)
        self.sums[node.name] = layer
        if op.activation is not None:
            name, *values = op.activation
            if holds(self.facts["limit.activations"], name):
                self.relu(node, node.name, node.absorbed[-1] if node.absorbed else node.name, *values[:1])
            else:
                self.find(
                    NOT_RELU, node, "limit.activations", actual=name, allowed=self.facts.number("type.activation.cap")
                )
                self.close(layer, node)

    def relu(self, node: Node, source: str, relu: str, cap: float | None = None) -> None:
        layer = self.sums.get(source)
        if layer is None:
            self.alias(node, source)
            return
        layer.relu, layer.cap = relu, cap
        layer.wide = cap is not None and cap == self.facts["type.wide_activation.cap"].value
        self.close(layer, node)

    def pool(self, node: Node) -> None:
        self.read_map(node)
        layers, limit = self.chain.layers, "limit.pools_per_layer"
        if not layers:
            self.find(POOL_PLACE, node, limit, reason="stands before the first conv")
        elif not holds(self.facts[limit], 1 if layers[-1].pool is None else 2):
            before = layers[-1].pool or layers[-1].conv
            self.find(POOL_PLACE, node, limit, reason=f"follows `{before.name}`")
        else:
            layers[-1].pool = node
        self.store(node)

    def add(self, node: Node) -> None:
        sums = [self.sums[i] for i in node.inputs if i in self.sums]
        layers = self.chain.layers
        reason = ""
        if not sums:
            reason = "adds two maps that already went through their ReLU"
        elif len(sums) == 2:
            reason = "has a conv on both sides"
        else:
            layer = sums[0]
            shortcut = next(i for i in node.inputs if i not in self.sums)
            if layer is not layers[-1] or layer.skip:
                reason = "adds more than one shortcut to one conv"
            elif not holds(self.facts["op.residual.convs"], self.convs_since(shortcut)) or len(layers) < 2:
                reason = f"skips {self.convs_since(shortcut)} convolutions, from `{shortcut}` on"
            else:
                layer.skip, layer.skip_node = True, node
        if reason:
            self.find(RESIDUAL, node, "op.residual.convs", reason=reason)
        if sums:
            self.sums[node.name] = layers[-1]
        else:
            self.store(node)

    def convs_since(self, name: str) -> int:
        """How many convs stand between a map and here."""
        return sum(layer.source >= self.maps.get(name, -1) for layer in self.chain.layers)

    def unsupported(self, node: Node) -> None:
        help = _INSTEAD.get(node.op.name)
        self.find(UNSUPPORTED, node, "limit.ops", help=help, actual=node.op.name)
        for source in node.inputs:
            if not isinstance(node.op, BatchNorm):
                self.sums.pop(source, None)
        self.alias(node, node.inputs[0]) if isinstance(node.op, BatchNorm) else self.store(node)

    def close_output(self) -> None:
        """What leaves the chip: read by the host or an output of the model. Anything but the last map is a mistake."""
        for layer in list(dict.fromkeys(map(id, self.sums.values()))):
            name = next(name for name, open_layer in reversed(self.sums.items()) if id(open_layer) == layer)
            self.map_of(name)
        leaving = list(dict.fromkeys(self.leaving()))
        for name in leaving:
            if self.maps.get(name) != self.latest:
                self.find(ONE_OUTPUT, self.graph[name], "limit.outputs")
        if not holds(self.facts["limit.outputs"], len(leaving)) and len(leaving) < 2 and self.chain.output:
            self.find(ONE_OUTPUT, self.chain.output, "limit.outputs")

    def leaving(self) -> Iterator[str]:
        for name in self.graph.output_nodes:
            if name not in self.host:
                yield name
        for node in self.graph:
            if node.name in self.host:
                yield from (i for i in node.inputs if i not in self.host)

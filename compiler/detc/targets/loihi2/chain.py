"""Reads a graph into chains of layers: one for each output tensor, with all that keeps one from being a `.net` file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from detc.diagnostics import Finding, Rule
from detc.ir.graph import Graph, Node
from detc.ir.ops.combine import Flatten, Identity
from detc.ir.ops.conv import Conv, Linear
from detc.ir.ops.neuron import Cuba, Encode, Sigma, SigmaDelta
from detc.targets.bounds import holds, place, used_at
from detc.targets.facts import Facts
from detc.targets.loihi2.layers import Layer, Net

NO_NEURONS = Rule(
    "LOI100",
    "error",
    """`{name}` has no neurons; Loihi 2 runs nets whose neurons send what has changed

    A picture becomes events in `neuron.encode`, every convolution or dense layer has `neuron.sigma_delta` behind it, and the
    last one `neuron.sigma`, which adds the events up to values. Nets of other kinds have to be written and trained anew.""",
    help="begin with `neuron.encode`, write `conv(c, bias = false, weight_norm = true) |> neuron.sigma_delta(activation = relu, "
    "norm = mean_only_batch)` for each layer, end in `conv(c, bias = false) |> neuron.sigma`, as `yolo_kp` does{more}",
)
UNSUPPORTED = Rule(
    "LOI101",
    "error",
    """`{name}` is `{actual}`, and a `.net` file holds {allowed}

    netx reads one chain of layers. What works on several tensors at once, or moves values without multiplying them, has no layer
    type in the file.""",
    help="{remedy}",
)
SPIKING = Rule(
    "LOI102",
    "error",
    """`{name}` are spiking neurons (CUBA); detc writes sigma-delta neurons only

    The chip runs both. The fixed-point steps of CUBA neurons, and their training in time, are not part of detc: such a net can be
    counted and trained at rest, and is exported by lava-dl itself.""",
    help="use `neuron.sigma_delta(activation = relu, norm = mean_only_batch)`, behind `neuron.encode` at the input",
)
NO_NEURON = Rule(
    "LOI103",
    "error",
    """`{name}` has no neurons behind it; {actual} reads its sums

    A layer of the chip is a convolution or dense layer together with its neurons: nothing else passes on what they add up.""",
    help="write `|> neuron.sigma_delta(activation = relu, norm = mean_only_batch)` behind it, or `|> neuron.sigma` at the end",
)
NEURON_PLACE = Rule(
    "LOI104",
    "error",
    """`{name}` reads `{actual}`; {allowed}

    The picture is encoded once, then layers and neurons take turns.""",
    help="{remedy}",
)
NOT_ENCODED = Rule(
    "LOI105",
    "error",
    """`{name}` reads the picture itself; layers of the chip read events""",
    help="put `neuron.encode` in front of the first layer",
)
NOT_SUMMED = Rule(
    "LOI106",
    "error",
    """the output `{name}` ends in {actual}; what leaves the chip are the sums of `neuron.sigma`

    Neurons send changes, of which no head can tell a value. A sigma read-out adds them up.""",
    help="end with `conv(c, bias = false) |> neuron.sigma`",
)
SIGMA_INSIDE = Rule(
    "LOI107",
    "error",
    """`{actual}` reads the sums of `{name}`; on the chip a read-out is the end of the net""",
    help="use `neuron.sigma_delta` here, or leave what follows to the head",
)
HOST = Rule(
    "LOI108",
    "error",
    """`{name}` is put on the host; an artifact of Loihi 2 holds the chip's part, and the host runs the head only""",
    help="let the model end in `neuron.sigma`: the head does the rest",
)
ONE_INPUT = Rule(
    "LOI109", "error", "the model has {actual} inputs; a `.net` file reads {allowed}", help="join them before the net"
)

_INSTEAD = {
    "maxpool": "give the convolution before it a stride of 2",
    "avgpool": "give the convolution before it a stride of 2",
    "samplepool": "give the convolution before it a stride of 2",
    "concat": "use one wider convolution in place of the two that meet here",
    "add": "leave the shortcut out: values of two layers cannot meet",
    "unpool": "predict on the smaller grid: the chip enlarges nothing",
    "upsample": "predict on the smaller grid: the chip enlarges nothing",
    "pad": "give the convolution behind it `pad`",
    "bn": "write `norm = mean_only_batch` in the neurons behind the convolution",
    "dropout": "take it out; sparsity of events regularises here",
    "softmax": "take it out: the head computes it on the host",
    "relu": "write `activation = relu` in the neurons behind the convolution",
}
_GENERAL = "take it out, or express it by convolutions and neurons"


@dataclass(slots=True)
class Chains:
    """The nets of a model, and why others are none. `broken` are the outputs (as names of nets) that are no chain;
    `neurons` is False for a net of another kind, of which nothing else is told."""

    nets: list[Net] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    neurons: bool = True
    findings: list[Finding] = field(default_factory=list)


def read_chains(graph: Graph, host: frozenset[str], facts: Facts) -> Chains:
    """The chains of a lowered graph, one for each output tensor, and every finding on its structure."""
    return _Reader(graph, host, facts).read()


class _Reader:
    """Looks at each node with its neighbours; a chain is then what leads back from an output without a fault."""

    def __init__(self, graph: Graph, host: frozenset[str], facts: Facts):
        self.graph = graph
        self.host = host
        self.facts = facts
        self.faulty: set[str] = set()
        self.found = Chains()

    def read(self) -> Chains:
        nodes = list(self.graph)
        if not any(isinstance(node.op, Encode | SigmaDelta | Sigma | Cuba) for node in nodes):
            self.no_neurons(nodes)
            return self.found
        inputs = self.graph.inputs
        if not holds(self.facts["limit.inputs"], len(inputs)):
            self.find(
                ONE_INPUT, inputs[-1], "limit.inputs", actual=len(inputs), allowed=self.facts["limit.inputs"].value
            )
        for node in nodes:
            self.visit(node)
        self.outputs()
        return self.found

    def find(self, rule: Rule, node: Node, limit: str, help: str | None = None, **said: Any) -> None:
        related = (place(self.facts[limit]), *used_at(node))
        self.faulty.add(node.name)
        self.found.findings.append(rule(node.span, related=related, help=help, name=node.name, **said))

    def no_neurons(self, nodes: list[Node]) -> None:
        self.found.neurons = False
        strange = sorted({node.op.name for node in nodes if not holds(self.facts["limit.ops"], node.op.name)})
        more = f"; there is no layer for {', '.join(strange)}" if strange else ""
        first = next((node for node in nodes if node.op.name != "input"), None)
        span = first.span if first else None
        self.found.findings.append(
            NO_NEURONS(span, related=(place(self.facts["limit.ops"]),), name=self.graph.name, more=more)
        )

    def visit(self, node: Node) -> None:
        op = node.op
        if node.name in self.host:
            self.find(HOST, node, "limit.ops")
        elif isinstance(op, Cuba):
            self.find(SPIKING, node, "limit.ops")
        elif not holds(self.facts["limit.ops"], op.name):
            remedy = _INSTEAD.get(op.name, _GENERAL)
            self.find(UNSUPPORTED, node, "limit.ops", actual=op.name, allowed=_layers(self.facts), remedy=remedy)
        elif isinstance(op, Encode):
            self.encode(node)
        elif isinstance(op, SigmaDelta | Sigma):
            self.neurons(node)
        elif isinstance(op, Conv | Linear):
            self.layer(node)

    def source(self, node: Node) -> Node:
        """What a node reads, past identities and flattens."""
        source = self.graph[node.inputs[0]]
        while isinstance(source.op, Identity | Flatten):
            source = self.graph[source.inputs[0]]
        return source

    def readers(self, node: Node) -> Iterator[Node]:
        """What reads a node, past identities and flattens."""
        for user in self.graph.users(node.name):
            if isinstance(user.op, Identity | Flatten):
                yield from self.readers(user)
            else:
                yield user

    def encode(self, node: Node) -> None:
        source = self.source(node)
        if source.op.name != "input":
            self.find(
                NEURON_PLACE,
                node,
                "limit.ops",
                actual=source.name,
                allowed="`neuron.encode` reads the picture only",
                remedy="use `neuron.sigma_delta` inside the net",
            )

    def neurons(self, node: Node) -> None:
        source = self.source(node)
        if not isinstance(source.op, Conv | Linear) or isinstance(self.graph[node.inputs[0]].op, Flatten):
            if isinstance(source.op, Cuba) or not holds(self.facts["limit.ops"], source.op.name):
                return  # the source is at fault, and is named
            self.find(
                NEURON_PLACE,
                node,
                "limit.ops",
                actual=node.inputs[0],
                allowed="neurons inside a net read the sums of a convolution or dense layer",
                remedy="put one in front of it, or `neuron.encode` at the picture",
            )
        elif isinstance(node.op, Sigma):
            for reader in self.readers(node):
                if reader.name not in self.host and holds(self.facts["limit.ops"], reader.op.name):
                    self.find(SIGMA_INSIDE, node, "limit.ops", actual=reader.name)
                    break

    def layer(self, node: Node) -> None:
        source = self.source(node)
        spiking = any(isinstance(reader.op, Cuba) for reader in self.readers(node))  # they are told of themselves
        if source.op.name == "input" and not spiking:
            self.find(NOT_ENCODED, node, "limit.ops")
        for reader in self.readers(node):
            if isinstance(reader.op, Conv | Linear):
                self.find(NO_NEURON, node, "limit.ops", actual=f"`{reader.name}`")
                break

    def outputs(self) -> None:
        several = len(self.graph.output_nodes) > 1
        for output, names in self.graph.outputs.items():
            for index, name in enumerate(names):
                called = "network" if not several else output if len(names) == 1 else f"{output}{index}"
                self.output(called, output, index, self.graph[name])

    def output(self, called: str, output: str, index: int, node: Node) -> None:
        while isinstance(node.op, Identity):
            node = self.graph[node.inputs[0]]
        if not isinstance(node.op, Sigma) and node.name not in self.faulty:
            self.find(NOT_SUMMED, node, "limit.ops", actual=f"`{node.name}` ({node.op.name})")
        path = self.path(node)
        if path is None:
            self.found.broken.append(called)
        else:
            self.found.nets.append(Net(called, output, index, path[0], tuple(self.layers(path))))

    def path(self, node: Node) -> list[Node] | None:
        """The nodes from the input to `node`; None where one of them is at fault."""
        found = [node]
        while found[-1].inputs:
            found.append(self.graph[found[-1].inputs[0]])
        return None if self.faulty.intersection(step.name for step in found) else found[::-1]

    def layers(self, path: list[Node]) -> Iterator[Layer]:
        """The layers of a chain without faults."""
        steps = [node for node in path if not isinstance(node.op, Identity)]
        for node, behind in zip(steps, [*steps[1:], None], strict=True):
            before = self.graph[node.inputs[0]].type.shape if node.inputs else ()
            if isinstance(node.op, Encode):
                yield Layer("input", node, before, node.type.shape, neurons=node)
            elif isinstance(node.op, Flatten):
                yield Layer("flatten", node, before, node.type.shape)
            elif isinstance(node.op, Conv | Linear):
                assert behind is not None
                sends = not isinstance(behind.op, Sigma)
                yield Layer(
                    "conv" if isinstance(node.op, Conv) else "dense",
                    node,
                    before,
                    node.type.shape,
                    behind if sends else None,
                    None if sends else behind,
                    node.op.macs(self.graph.input_types(node), node.type),
                )


def _layers(facts: Facts) -> str:
    """The layers of a `.net` file in words."""
    named = [str(name) for name in facts["limit.ops"].value if str(name) not in ("input", "identity")]
    return f"{', '.join(named[:-1])} and {named[-1]} in one chain"

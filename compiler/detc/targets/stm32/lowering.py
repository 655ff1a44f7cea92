"""From the lowered graph to steps: one kernel a layer, views without bytes, activations in the step before them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from detc.diagnostics import Finding, Related, Rule
from detc.diagnostics.finding import USED_HERE
from detc.ir.graph import Graph, Node
from detc.ir.ops.activation import Activation, Softmax
from detc.ir.ops.combine import Add, Channels, Concat, Flatten, Identity, Mul, Reshape, Shuffle, SpaceToDepth
from detc.ir.ops.conv import Conv, Linear
from detc.ir.ops.norm import Dropout
from detc.ir.ops.pool import AvgPool, MaxPool, Pad, SamplePool, Upsample
from detc.ir.ops.source import Input
from detc.semantics.program import Model
from detc.targets.stm32.head_checks import check_heads
from detc.targets.stm32.quants import share_quants
from detc.targets.stm32.step_rules import HOSTED, INPUT_KIND, ONE_INPUT, UNSUPPORTED
from detc.targets.stm32.steps import Shape, Step, Steps

CLAMPS, TABLES = frozenset(("average_pool",)), frozenset(("conv", "depthwise", "dense", "add", "mul"))
"""Kernels that can end in a ReLU, and those that can end in any activation."""


def steps_of(graph: Graph, model: Model) -> tuple[Steps, tuple[Finding, ...]]:
    """The steps of a lowered graph (batch norm folded, activations fused), with a finding for each layer without a kernel,
    and for each head that the post-processing does not decode.

    `model.graph` is the graph before lowering: there stands what a folded batch norm was. Where a layer has no kernel the
    steps go on as if it had one, so that all findings are made at once; steps with findings are fit for no plan.
    """
    lowering = _Lowering(graph, model)
    for node in graph:
        lowering.visit(node)
    return lowering.done(), (*lowering.findings, *check_heads(model))


Pair = tuple[int, int]


class _Lowering:
    """Walks the graph once. `made` maps each node to its tensor, `by_output` each tensor to the number of its step.

    `folded` are flat tensors that lie in memory as [height, width, channels] although the graph counts them channel by channel,
    with the [channels, height, width] that they were.
    """

    def __init__(self, graph: Graph, model: Model):
        self.graph, self.model = graph, model
        inputs = graph.inputs
        self.steps = Steps(inputs[0].name if inputs else "")
        self.findings: list[Finding] = []
        self.made: dict[str, str] = {}
        self.by_output: dict[str, int] = {}
        self.folded: dict[str, Shape] = {}

    def visit(self, node: Node) -> None:
        if node.name in self.model.host:
            self.find(HOSTED, node)
        method = _METHODS.get(type(node.op))
        if isinstance(node.op, Activation) and not isinstance(node.op, Softmax):
            method = _Lowering.activation
        if method is None:
            self.find(UNSUPPORTED, node, actual=node.op.name)
            method = _Lowering.unknown
        method(self, node)

    def done(self) -> Steps:
        outputs = {name: tuple(self.plain(self.made[n]) for n in nodes) for name, nodes in self.graph.outputs.items()}
        self.steps.outputs = outputs
        if not self.findings:
            share_quants(self.steps)
        return self.steps

    # ---- parts of every visit ----------------------------------------------------------------------------------------

    def find(self, rule: Rule, node: Node, **facts: Any) -> None:
        used = tuple(Related(span, USED_HERE) for span in node.via if span != node.span)
        self.findings.append(rule(node.span, related=used, name=node.name, **facts))

    def read(self, name: str) -> str:
        """The tensor of a node, in the graph's own order."""
        return self.plain(self.made[name])

    def step(self, node: Node, kernel: str, inputs: tuple[str, ...], **attributes: Any) -> str:
        """Appends a step that gives the node's tensor."""
        activation = attributes.pop("activation", None)
        name = self.tensor(node.name, _memory_shape(node.type.shape))
        nodes = (node.name, *node.absorbed)
        self.by_output[name] = len(self.steps.steps)
        self.steps.steps.append(
            Step(node.name, kernel, inputs, name, nodes, attributes, activation, node.span, node.via)
        )
        self.made[node.name] = name
        return name

    def tensor(self, name: str, shape: Shape) -> str:
        self.steps.tensors[name] = shape
        return name

    def alias(self, name: str, of: str, shape: Shape) -> str:
        self.steps.aliases[self.tensor(name, shape)] = of
        return name

    def reorder(self, node_name: str, source: str, axes: tuple[int, ...], suffix: str) -> str:
        """The numbers of `source` with its axes in another order, as a step of its own."""
        shape = self.steps.tensors[source]
        name = self.tensor(f"{source}:{suffix}", tuple(shape[axis] for axis in axes))
        node = self.graph[node_name]
        step = Step(name, "reorder", (source,), name, (), {"axes": list(axes)}, None, node.span, node.via)
        self.by_output[name] = len(self.steps.steps)
        self.steps.steps.append(step)
        return name

    def plain(self, tensor: str) -> str:
        """The tensor with its numbers in the order of the graph: one that is folded is laid out anew, once."""
        if tensor not in self.folded:
            return tensor
        flat = f"{tensor}:flat"
        if flat not in self.steps.tensors:
            channels, height, width = self.folded[tensor]
            map_ = self.alias(f"{tensor}:map", tensor, (height, width, channels))
            self.alias(flat, self.reorder(tensor, map_, (2, 0, 1), "chw"), (channels * height * width,))
        return flat

    # ---- ops ---------------------------------------------------------------------------------------------------------

    def input(self, node: Node) -> None:
        number = self.graph.inputs.index(node) + 1
        if number > 1:
            self.find(ONE_INPUT, node, actual=number)
        assert isinstance(node.op, Input)
        steps = node.op.steps
        if node.type.dtype != "u8" or not node.type.is_map or steps is not None:
            self.find(INPUT_KIND, node, actual=f"a clip of {steps} steps" if steps is not None else str(node.type))
        self.made[node.name] = self.tensor(node.name, _memory_shape(node.type.shape))

    def unknown(self, node: Node) -> None:
        self.made[node.name] = self.tensor(node.name, _memory_shape(node.type.shape))

    def view(self, node: Node) -> None:
        self.made[node.name] = self.made[node.inputs[0]]

    def conv(self, node: Node) -> None:
        op, source = node.op, self.graph[node.inputs[0]].type
        assert isinstance(op, Conv)
        attributes: dict[str, Any] = {
            "k": list(op.k),
            "stride": list(op.stride),
            "pad": _sides((source.height, source.width), node.type.shape[1:], op.k, op.stride, op.pad, op.dilation),
            "dilation": list(op.dilation),
            **self.weights(node),
            "weight_norm": op.weight_norm,
        }
        depthwise = op.groups == source.channels == op.channels and op.groups > 1
        if not depthwise:
            attributes["groups"] = op.groups
        kernel = "depthwise" if depthwise else "conv"
        self.step(node, kernel, (self.read(node.inputs[0]),), activation=op.activation, **attributes)

    def weights(self, node: Node) -> dict[str, Any]:
        """Whose weights a layer has, and the batch norm that is folded into them."""
        norm = node.op.batch_norm if isinstance(node.op, Conv) else ""
        eps = getattr(self.model.graph[norm].op, "eps", None) if norm and norm in self.model.graph else None
        return {"module": node.module or node.name, "norm": norm, "eps": eps}

    def linear(self, node: Node) -> None:
        assert isinstance(node.op, Linear)
        source = self.made[node.inputs[0]]
        order = self.folded.get(source)
        attributes = {**self.weights(node), "reorder_weights": list(order) if order else None}
        if node.op.weight_norm:
            attributes["weight_norm"] = True
        self.step(node, "dense", (source,), activation=node.op.activation, **attributes)

    def activation(self, node: Node) -> None:
        """Into the step before it where that step's result is read here alone; else a table."""
        assert isinstance(node.op, Activation)
        fused, source = node.op.fused(), self.made[node.inputs[0]]
        number = self.by_output.get(source)
        step = self.steps.steps[number] if number is not None else None
        ends = TABLES | CLAMPS if node.op.name == "relu" else TABLES
        if step is not None and step.kernel in ends and step.activation is None and self.alone(node, source):
            assert number is not None
            nodes = (*step.nodes, node.name, *node.absorbed)
            self.steps.steps[number] = replace(step, activation=fused, nodes=nodes)
            self.made[node.name] = source
            return
        name = self.step(node, "table", (source,), activation=fused)
        if source in self.folded:
            self.folded[name] = self.folded[source]

    def alone(self, node: Node, tensor: str) -> bool:
        """Whether `node` is the only reader of a tensor, through views that nothing else reads."""
        name = node.inputs[0]
        while True:
            if len(self.graph.users(name)) != 1 or name in self.graph.output_nodes:
                return False
            if not self.graph[name].inputs or self.made.get(self.graph[name].inputs[0]) != tensor:
                return True
            name = self.graph[name].inputs[0]

    def max_pool(self, node: Node) -> None:
        op = node.op
        k, stride, pad = ((1, 1), op.k, (0, 0)) if isinstance(op, SamplePool) else _window(op)
        self.pool(node, "max_pool", k, stride, pad)

    def average_pool(self, node: Node) -> None:
        assert isinstance(node.op, AvgPool)
        source = self.graph[node.inputs[0]].type
        if node.op.k is None:
            size = (source.height, source.width)
            self.pool(node, "average_pool", size, size, (0, 0))
        else:
            self.pool(node, "average_pool", node.op.k, node.op.stride, node.op.pad)

    def pad(self, node: Node) -> None:
        assert isinstance(node.op, Pad)
        self.step(node, "pad", (self.read(node.inputs[0]),), pad=list(node.op.sides))

    def pool(self, node: Node, kernel: str, k: Pair, stride: Pair, pad: Pair) -> None:
        source = self.graph[node.inputs[0]].type
        sides = _sides((source.height, source.width), node.type.shape[1:], k, stride, pad, (1, 1))
        self.step(node, kernel, (self.read(node.inputs[0]),), k=list(k), stride=list(stride), pad=sides)

    def add(self, node: Node) -> None:
        self.step(node, "add", tuple(self.read(name) for name in node.inputs))

    def mul(self, node: Node) -> None:
        """The larger of both comes first: the other may be a value a channel."""
        names = sorted(node.inputs, key=lambda name: -self.graph[name].type.elements)
        self.step(node, "mul", tuple(self.read(name) for name in names))

    def concat(self, node: Node) -> None:
        if len(node.inputs) == 1:
            self.view(node)
        else:
            self.step(node, "concat", tuple(self.read(name) for name in node.inputs))

    def channels(self, node: Node) -> None:
        op = node.op
        assert isinstance(op, Channels)
        count = op.last - op.first + 1
        self.step(node, "channels", (self.read(node.inputs[0]),), first=op.first, count=count, every=1)

    def shuffle(self, node: Node) -> None:
        assert isinstance(node.op, Shuffle)
        self.step(node, "shuffle", (self.read(node.inputs[0]),), groups=node.op.groups)

    def space_to_depth(self, node: Node) -> None:
        op = node.op
        assert isinstance(op, SpaceToDepth)
        pixels = [[row, column] for row in range(op.block) for column in range(op.block)]
        order = pixels if op.order == "rows" else [[row, column] for column, row in pixels]
        self.step(node, "space_to_depth", (self.read(node.inputs[0]),), block=op.block, order=order)

    def resize(self, node: Node) -> None:
        op = node.op
        assert isinstance(op, Upsample)
        source = (self.read(node.inputs[0]),)
        self.step(node, "resize", source, factor=list(op.factor), bilinear=op.mode == "bilinear")

    def flatten(self, node: Node) -> None:
        source, shape = self.made[node.inputs[0]], self.graph[node.inputs[0]].type.shape
        self.made[node.name] = self.alias(node.name, source, (math.prod(shape),)) if len(shape) == 3 else source
        if len(shape) == 3 and shape[0] > 1 and shape[1] * shape[2] > 1:
            self.folded[node.name] = shape

    def reshape(self, node: Node) -> None:
        """The numbers in the graph's order, then as the new shape lies in memory."""
        before, after = self.graph[node.inputs[0]].type.shape, node.type.shape
        if len(after) == 1:
            return self.flatten(node)
        source = self.read(node.inputs[0])
        if len(after) != 3:
            self.find(UNSUPPORTED, node, actual=f"reshape to {list(after)}")
            return self.unknown(node)
        if len(before) == 3 and before[0] > 1 and before[1] * before[2] > 1:
            source = self.reorder(node.name, source, (2, 0, 1), "chw")
        if after[0] > 1 and after[1] * after[2] > 1:
            laid = self.alias(f"{node.name}:chw", source, after)
            source = self.reorder(node.name, laid, (1, 2, 0), "hwc")
        self.made[node.name] = self.alias(node.name, source, _memory_shape(after))
        return None


_METHODS: dict[type, Callable[[_Lowering, Node], None]] = {
    Input: _Lowering.input,
    Conv: _Lowering.conv,
    Linear: _Lowering.linear,
    MaxPool: _Lowering.max_pool,
    SamplePool: _Lowering.max_pool,
    AvgPool: _Lowering.average_pool,
    Pad: _Lowering.pad,
    Add: _Lowering.add,
    Mul: _Lowering.mul,
    Concat: _Lowering.concat,
    Channels: _Lowering.channels,
    Shuffle: _Lowering.shuffle,
    SpaceToDepth: _Lowering.space_to_depth,
    Upsample: _Lowering.resize,
    Flatten: _Lowering.flatten,
    Reshape: _Lowering.reshape,
    Identity: _Lowering.view,
    Dropout: _Lowering.view,
}


def _memory_shape(shape: Shape) -> Shape:
    """[channels, height, width] as it lies in memory: [height, width, channels]."""
    return (shape[1], shape[2], shape[0]) if len(shape) == 3 else shape


def _window(op: Any) -> tuple[Pair, Pair, Pair]:
    return op.k, op.stride, op.pad


def _sides(size: Shape, out: Shape, k: Pair, stride: Pair, pad: Pair, dilation: Pair) -> list[int]:
    """[top, left, bottom, right]: below and to the right as many as the last window needs, whatever was rounded."""
    ends = [
        max(0, (count - 1) * step + gap * (window - 1) + 1 - n - margin)
        for n, count, window, step, margin, gap in zip(size, out, k, stride, pad, dilation, strict=True)
    ]
    return [pad[0], pad[1], ends[0], ends[1]]

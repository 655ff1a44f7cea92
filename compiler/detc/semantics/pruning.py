"""Channel pruning as a function of graphs: every conv keeps a share of its channels, and whatever is tied to it follows.

Channels are tied where tensors are added or multiplied, and through depthwise convolutions. What leaves the model, what is
named in `keep`, and what a reshape has given a fixed form keep their width, and so does all that is tied to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from detc.ir.graph import Graph, Node
from detc.ir.op import Op, Problem
from detc.ir.ops.combine import Channels, Reshape, Shuffle
from detc.ir.ops.conv import Conv, Linear
from detc.ir.types import TensorType

Segments = tuple[int, ...]
"""The channels of a tensor as groups one after another (a concat has several)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a graph cannot be pruned so: `problem` completes "`node` ..."."""

    node: Node
    problem: str


@dataclass(slots=True)
class Groups:
    """Channel groups that were found equal: a union-find with the width of each, and whether it must stay."""

    width: list[int] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)

    def new(self, width: int, kept: bool = False) -> int:
        self.width.append(width)
        self.kept.append(kept)
        self.parent.append(len(self.parent))
        return len(self.parent) - 1

    def root(self, group: int) -> int:
        while self.parent[group] != group:
            self.parent[group] = self.parent[self.parent[group]]
            group = self.parent[group]
        return group

    def join(self, a: int, b: int) -> None:
        a, b = self.root(a), self.root(b)
        self.parent[b] = a
        self.kept[a] = self.kept[a] or self.kept[b]

    def keep(self, groups: Iterable[int]) -> None:
        for group in groups:
            self.kept[self.root(group)] = True

    def pruned(self, group: int, share: Fraction) -> int:
        """The width that is left: the nearest whole number, halves up, at least 1."""
        group = self.root(group)
        width = self.width[group]
        return width if self.kept[group] else max(1, int(width * share + Fraction(1, 2)))


def prune(graph: Graph, share: Fraction, keep: Iterable[str]) -> Graph | list[Refusal]:
    """The graph with `share` (0 < share <= 1) of the channels of every conv. `keep` are names of nodes whose width stays."""
    groups = Groups()
    segments, refusals = _tie(graph, groups, share)
    if refusals:
        return refusals
    for name in (*keep, *graph.output_nodes):
        groups.keep(segments[name])
    pruned = Graph(graph.name, dict(graph.outputs), dict(graph.scopes))
    for node in graph:
        types = tuple(pruned[name].type for name in node.inputs)
        widths = [groups.pruned(group, share) for group in segments[node.name]]
        if isinstance(node.op, Channels):
            first = _before(node.op.first, segments[node.inputs[0]], groups, share)
            op: Op = Channels(first, first + sum(widths) - 1)
        else:
            op = _narrowed(node.op, graph.input_types(node), types, widths)
        type = op.infer(types)
        if isinstance(type, Problem):
            refusals.append(Refusal(node, f"{type.message} after pruning"))
            type = node.type
        pruned.add(replace(node, op=op, type=type))
    return refusals or pruned


def _tie(graph: Graph, groups: Groups, share: Fraction) -> tuple[Mapping[str, Segments], list[Refusal]]:
    """The channel groups of every node, tied where the ops demand it."""
    segments: dict[str, Segments] = {}
    refusals: list[Refusal] = []
    shared: dict[str, int] = {}
    for node in graph:
        inputs = [segments[name] for name in node.inputs]
        types = graph.input_types(node)
        op = node.op
        if isinstance(op, Conv) and not _is_depthwise(op, types):
            module = node.module or node.name
            shared.setdefault(module, groups.new(op.channels))
            segments[node.name] = (shared[module],)
            # A shared layer reads all its inputs with one set of weights, so they are as wide as each other.
            first = next((n for n in graph if (n.module or n.name) == module), node) if not node.owns_weights else node
            if first is not node and not _join(groups, segments[first.inputs[0]], inputs[0]):
                refusals.append(Refusal(node, "shares its weights between tensors that are put together differently"))
        elif not inputs or isinstance(op, (Linear, Reshape)):
            segments[node.name] = (groups.new(node.type.shape[0], kept=True),)
            if isinstance(op, Reshape):
                groups.keep(group for entry in inputs for group in entry)
        elif op.name == "concat":
            segments[node.name] = tuple(group for entry in inputs for group in entry)
        elif isinstance(op, Conv):
            segments[node.name] = inputs[0]
            if op.channels != types[0].channels:
                groups.keep(inputs[0])
                segments[node.name] = (groups.new(op.channels, kept=True),)
        elif isinstance(op, Channels):
            segments[node.name] = _cut(op, inputs[0], groups) or ()
            if not segments[node.name]:
                refusals.append(Refusal(node, "cuts through the middle of a layer's channels"))
        else:
            segments[node.name] = inputs[0]
            for other in inputs[1:]:
                if not _join(groups, inputs[0], other):
                    refusals.append(Refusal(node, "joins tensors whose channels are put together differently"))
            if isinstance(op, Shuffle) and len(inputs[0]) > 1:
                groups.keep(inputs[0])
    return segments, refusals


def _join(groups: Groups, a: Segments, b: Segments) -> bool:
    if len(a) != len(b) or any(groups.width[x] != groups.width[y] for x, y in zip(a, b, strict=True)):
        return False
    for x, y in zip(a, b, strict=True):
        groups.join(x, y)
    return True


def _cut(op: Channels, segments: Segments, groups: Groups) -> Segments | None:
    """The groups between `first` and `last`, if both fall on the border of one."""
    start, chosen = 0, []
    for group in segments:
        end = start + groups.width[group]
        if op.first <= start and end - 1 <= op.last:
            chosen.append(group)
        elif start <= op.last and op.first < end:
            return None
        start = end
    return tuple(chosen)


def _before(first: int, segments: Segments, groups: Groups, share: Fraction) -> int:
    """How many channels stand before channel `first` of the old tensor in the new one; `first` is a border."""
    old = new = 0
    for group in segments:
        if old >= first:
            break
        old += groups.width[group]
        new += groups.pruned(group, share)
    return new


def _is_depthwise(op: Conv, types: tuple[TensorType, ...]) -> bool:
    return op.groups > 1 and op.groups == types[0].channels


def _narrowed(op: Op, before: tuple[TensorType, ...], after: tuple[TensorType, ...], widths: list[int]) -> Op:
    """The op for the new widths of its inputs and of its own channels."""
    if isinstance(op, Conv):
        if _is_depthwise(op, before):
            return replace(op, channels=sum(widths), groups=after[0].channels)
        return replace(op, channels=widths[0])
    return op

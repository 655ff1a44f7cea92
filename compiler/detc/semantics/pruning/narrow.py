"""Channel pruning as a function of graphs: every conv keeps a share of its channels, and whatever is tied to it follows.

What leaves the model, what is named in `keep`, and what an op fixes (a softmax, a reshape) keep their width, and so does
all that is tied to them. Heads read outputs, so they find what they found before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from detc.ir.graph import Graph, Node
from detc.ir.op import Op, Problem
from detc.ir.ops.combine import Channels, Reshape, Shuffle
from detc.ir.ops.conv import Conv, Linear
from detc.ir.types import TensorType
from detc.semantics.pruning.plan import Axis, Group, Mismatch, planned
from detc.semantics.pruning.routing import Routing, TooLarge, depthwise, trace

ATTEMPTS = 50
"""How often a layer that does not fit may be given its width back."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a layer keeps its width against the user's wish, or the whole graph its own (`node` None): `problem` completes
    "`node` ..."."""

    node: Node | None
    problem: str


@dataclass(frozen=True, slots=True)
class Pruned:
    """The narrow graph, what leads to it, and the layers that had to keep their width."""

    graph: Graph
    groups: tuple[Group, ...]
    axes: tuple[Axis, ...]
    held: tuple[Refusal, ...]


def prune(graph: Graph, share: Fraction, keep: Iterable[str] = (), multiple: int = 1) -> Pruned | Refusal:
    """The graph with `share` (0 < share <= 1) of its channels, each width the nearest multiple of `multiple` (halves up, at
    least one multiple, at most what it was). `keep` are names of nodes whose width stays.

    A layer that cannot be narrowed so keeps its width, and is told in `held`.
    """
    kept = {name: "kept by the spec" for name in keep}
    for output, names in graph.outputs.items():
        kept.update((name, f"output `{output}`") for name in names)
    held: dict[str, Refusal] = {}
    refusal = Refusal(None, "cannot be narrowed")
    try:
        for _ in range(ATTEMPTS):
            result = _attempt(graph, share, multiple, kept)
            if isinstance(result, Pruned):
                return replace(result, held=(*held.values(), *result.held))
            fresh = [found for found in result if found.node and found.node.name not in held]
            refusal = result[0]
            if not fresh:
                break
            for found in fresh:
                assert found.node is not None
                held[found.node.name] = found
                for name in _reach(graph, found.node):
                    kept.setdefault(name, f"`{found.node.name}` {found.problem}")
    except TooLarge:
        return Refusal(None, "has too many channels to follow each of them")
    return refusal


def _reach(graph: Graph, node: Node) -> list[str]:
    """A node, what it reads and, where that was shuffled, all that it was shuffled from: the widths of part of a shuffle follow
    from those of all of it."""
    rows = trace(graph, depthwise(graph), {}).rows
    found = [node.name]
    waiting = list(node.inputs)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.append(name)
            waiting += graph[name].inputs if rows[name].mixed else ()
    return found


def _attempt(graph: Graph, share: Fraction, multiple: int, kept: Mapping[str, str]) -> Pruned | list[Refusal]:
    filters = depthwise(graph)
    old = trace(graph, filters, kept)
    reasons, demands = _reasons(old)
    widths = _Widths(old, share, multiple, reasons)
    narrow = Graph(graph.name, dict(graph.outputs), dict(graph.scopes))
    for node in graph:
        types = tuple(narrow[name].type for name in node.inputs)
        op = _narrowed(node, graph, types, widths, node.name in filters)
        type = op.infer(types)
        if isinstance(type, Problem):
            return [Refusal(node, f"{type.message} after pruning")]
        narrow.add(replace(node, op=op, type=type))
    plan = planned(graph, narrow, old, trace(narrow, filters, {}), reasons, filters)
    if isinstance(plan, list):
        return _blamed(graph, plan)
    return Pruned(narrow, *plan, tuple(demands))


def _reasons(routing: Routing) -> tuple[dict[int, str], list[Refusal]]:
    """Why units are kept, by root; and the layers on whose demand alone some are."""
    reasons: dict[int, str] = {}
    demands: dict[str, Refusal] = {}
    for atoms, reason, node in sorted(routing.kept, key=lambda entry: entry[2] is not None):
        roots = {routing.root(atom) for atom in atoms}
        if node is not None and not roots <= reasons.keys() and node.inputs:
            demands.setdefault(node.name, Refusal(node, f"is a {node.op.name}, which fixes how many channels it has"))
        for root in roots:
            reasons.setdefault(root, reason)
    return reasons, list(demands.values())


class _Widths:
    """How many units of each class are left, and from that the width of every row."""

    def __init__(self, routing: Routing, share: Fraction, multiple: int, reasons: Mapping[int, str]) -> None:
        self.routing = routing
        self.left: dict[int, tuple[int, int]] = {}
        """By root: units of its class that are left, and that there were."""
        for units in routing.classes({}, mixed=False).values():
            after = len(units) if any(root in reasons for root in units) else _rounded(len(units), share, multiple)
            self.left.update(dict.fromkeys(units, (after, len(units))))

    def __call__(self, atoms: Iterable[int]) -> int:
        """The width that is left of these atoms: exact where they are whole classes."""
        counts = Counter(self.left[self.routing.root(atom)] for atom in atoms)
        total = sum(Fraction(count * after, before) for (after, before), count in counts.items())
        return int(total + Fraction(1, 2))


def _rounded(width: int, share: Fraction, multiple: int) -> int:
    steps = max(1, int(width * share / multiple + Fraction(1, 2)))
    return min(width, steps * multiple)


def _narrowed(node: Node, graph: Graph, types: tuple[TensorType, ...], widths: _Widths, is_depthwise: bool) -> Op:
    """The op for the new widths of its inputs and of its own channels."""
    op, rows = node.op, widths.routing.rows
    if isinstance(op, Conv):
        if is_depthwise:
            times = node.type.channels // graph.input_types(node)[0].channels
            return replace(op, channels=types[0].channels * times, groups=types[0].channels)
        return replace(op, channels=widths(rows[node.name].atoms))
    if isinstance(op, Linear):
        return replace(op, features=widths(rows[node.name].atoms))
    if isinstance(op, Reshape):
        before = graph.input_types(node)[0].elements
        if len(op.shape) == 1:
            return replace(op, shape=(types[0].elements,))
        return (
            op
            if types[0].elements == before
            else replace(op, shape=(types[0].elements * op.shape[0] // before, *op.shape[1:]))
        )
    if isinstance(op, Channels):
        return _cut(op, node, graph, types[0], widths)
    return op


def _cut(op: Channels, node: Node, graph: Graph, type: TensorType, widths: _Widths) -> Channels:
    """Borders of a cut: at whole classes exactly, in shuffled channels at the same share of them."""
    row = widths.routing.rows[node.inputs[0]]
    before = graph.input_types(node)[0].shape[0]
    if row.mixed or op.first % row.repeat or (op.last + 1) % row.repeat:
        first, behind = (
            int(Fraction(place * type.shape[0], before) + Fraction(1, 2)) for place in (op.first, op.last + 1)
        )
    else:
        first, behind = (widths(row.atoms[: place // row.repeat]) * row.repeat for place in (op.first, op.last + 1))
    return Channels(first, behind - 1)


def _blamed(graph: Graph, wrong: list[Mismatch]) -> list[Refusal]:
    """The layers to which a mismatch is due: those that deal channels out or take some of them."""
    found: dict[str, Refusal] = {}
    for mismatch in wrong:
        nodes = [graph[name] for name, _, _ in mismatch.labels]
        dealing = [n for n in nodes if isinstance(n.op, (Shuffle, Channels)) or getattr(n.op, "groups", 1) > 1]
        for node in dealing or nodes:
            found.setdefault(node.name, Refusal(node, "deals its channels out otherwise when there are fewer"))
    return list(found.values())

"""Which channels hang together in a graph.

Every layer that makes channels of its own (a conv, a linear layer) gives each of them an atom; all other ops only pass
atoms on, joined (add), side by side (concat), picked out (channels), permuted (shuffle). Atoms that meet in one place can
only be dropped together: they make a unit, found by union-find. Two units that stand in the same tensors can stand in for
each other: they make a class, and pruning chooses among its units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from detc.ir.graph import Graph, Node
from detc.ir.ops.combine import Channels, Concat, Flatten, Reshape, Shuffle, SpaceToDepth
from detc.ir.ops.conv import Conv, Linear

LARGEST = 4_000_000
"""Entries of all rows together; a graph with more is not pruned."""

Label = tuple[str, str, int]


class TooLarge(Exception):
    """The graph has more channels than can be followed one by one."""


@dataclass(slots=True, eq=False)
class Row:
    """The channels of a tensor, in order: their atoms, each standing for `repeat` values one after another (a flattened map
    has height * width). `mixed` where a shuffle has dealt them out."""

    atoms: list[int]
    repeat: int = 1
    mixed: bool = False


@dataclass(slots=True)
class Routing:
    """`rows` of all nodes by name. `origin` of each atom: the module that makes it and the number of its channel there.

    `marks` are places besides rows where atoms stand: the group of a grouped conv, the channels left of a cut.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    origin: list[tuple[str, int]] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)
    marks: list[tuple[Label, Sequence[int]]] = field(default_factory=list)
    kept: list[tuple[Sequence[int], str, Node | None]] = field(default_factory=list)
    entries: int = 0

    # ---- atoms ------------------------------------------------------------------------------------------------------

    def root(self, atom: int) -> int:
        parent = self.parent
        while parent[atom] != atom:
            parent[atom] = parent[parent[atom]]
            atom = parent[atom]
        return atom

    def join(self, a: Iterable[int], b: Iterable[int]) -> None:
        """Channel by channel; the older atom becomes the root, so that units keep the order of their making."""
        for x, y in zip(a, b, strict=True):
            first, second = sorted((self.root(x), self.root(y)))
            self.parent[second] = first

    def new(self, module: str, width: int) -> list[int]:
        self.count(width)
        start = len(self.parent)
        self.parent.extend(range(start, start + width))
        self.origin.extend((module, number) for number in range(width))
        return list(range(start, start + width))

    def count(self, entries: int) -> None:
        self.entries += entries
        if self.entries > LARGEST:
            raise TooLarge

    def keep(self, row: Row, reason: str, node: Node | None = None) -> None:
        """`node` is the layer that demands it; None where the user did."""
        self.kept.append((row.atoms, reason, node))

    def spread(self, row: Row) -> Row:
        """The same row with an entry a value."""
        self.count(len(row.atoms) * row.repeat)
        return Row([atom for atom in row.atoms for _ in range(row.repeat)], 1, row.mixed)

    # ---- classes ----------------------------------------------------------------------------------------------------

    def classes(self, labels: dict[Label, int], mixed: bool = True) -> dict[tuple[int, ...], list[int]]:
        """The units (their roots, in order) by what they stand in. `labels` numbers the places, and is shared by graphs that
        are compared. Without `mixed`, what lies behind a shuffle does not tell units apart.
        """
        places: dict[int, list[int]] = {root: [] for root in dict.fromkeys(map(self.root, range(len(self.parent))))}
        seen: set[int] = set()
        rows: list[tuple[Label, Sequence[int]]] = []
        for name, row in self.rows.items():
            if id(row.atoms) not in seen and (mixed or not row.mixed):
                seen.add(id(row.atoms))
                rows.append(((name, "", 0), row.atoms))
        for label, atoms in (*rows, *self.marks):
            number = labels.setdefault(label, len(labels))
            for atom in atoms:
                places[self.root(atom)].append(number)
        classes: dict[tuple[int, ...], list[int]] = {}
        for root, stood in places.items():
            classes.setdefault(tuple(stood), []).append(root)
        return classes


def depthwise(graph: Graph) -> frozenset[str]:
    """Names of the convs with one group a channel."""
    return frozenset(
        node.name
        for node in graph
        if isinstance(node.op, Conv) and node.op.groups > 1 and node.op.groups == graph.input_types(node)[0].channels
    )


def trace(graph: Graph, depthwise: frozenset[str], kept: Mapping[str, str]) -> Routing:
    """The routing of a graph. `kept` gives a reason for every node whose channels must stay. Raises TooLarge."""
    routing = Routing()
    owners: dict[str, list[Row]] = {}
    own: dict[str, list[int]] = {}
    for node in graph:
        inputs = [routing.rows[name] for name in node.inputs]
        module = node.module or node.name
        if node.op.params(graph.input_types(node)):
            # A shared layer reads all its inputs with one set of weights.
            for mine, first in zip(inputs, owners.setdefault(module, inputs), strict=True):
                if first is not mine:
                    routing.join(first.atoms, mine.atoms)
        routing.rows[node.name] = row = _row(node, inputs, graph, routing, depthwise, own)
        routing.count(len(row.atoms))
        if node.name in kept:
            routing.keep(row, kept[node.name])
    for node in graph:
        if isinstance(node.op, Shuffle):
            _keep_copies(node, routing)
    return routing


def _keep_copies(node: Node, routing: Routing) -> None:
    """Copies of one channel are told apart by their order, which a shuffle of fewer channels does not leave as it was."""
    row = routing.rows[node.inputs[0]]
    if len(set(map(routing.root, row.atoms))) < len(row.atoms):
        routing.keep(row, f"`{node.name}` (shuffle) deals copies of them out", node)


def _row(
    node: Node, inputs: list[Row], graph: Graph, routing: Routing, depthwise: frozenset[str], own: dict[str, list[int]]
) -> Row:
    op, types = node.op, graph.input_types(node)
    module = node.module or node.name
    if node.name in depthwise:
        times = node.type.channels // types[0].channels
        if times == 1:
            return inputs[0]
        made = Row(_own(module, node.type.channels, routing, own), 1, inputs[0].mixed)
        routing.join(made.atoms, [atom for atom in inputs[0].atoms for _ in range(times)])
        return made
    if isinstance(op, (Conv, Linear)):
        made = Row(_own(module, node.type.shape[0], routing, own))
        if isinstance(op, Conv) and op.groups > 1:
            _mark_groups(node.name, "in", inputs[0].atoms, op.groups, routing)
            _mark_groups(node.name, "out", made.atoms, op.groups, routing)
        return made
    if isinstance(op, Concat):
        if len({row.repeat for row in inputs}) > 1:
            inputs = [routing.spread(row) for row in inputs]
        atoms = [atom for row in inputs for atom in row.atoms]
        return Row(atoms, inputs[0].repeat, any(row.mixed for row in inputs))
    if isinstance(op, Channels):
        row = inputs[0]
        if op.first % row.repeat or (op.last + 1) % row.repeat:
            row = routing.spread(row)
        first, behind = op.first // row.repeat, (op.last + 1) // row.repeat
        if not row.mixed:
            routing.marks.append(((node.name, "before", 0), row.atoms[:first]))
        return Row(row.atoms[first:behind], row.repeat, row.mixed)
    if isinstance(op, Shuffle):
        row = inputs[0]
        deal = len(row.atoms) // op.groups
        return Row([row.atoms[j * deal + i] for i in range(deal) for j in range(op.groups)], 1, True)
    if isinstance(op, SpaceToDepth):
        return Row(inputs[0].atoms * op.block**2, 1, inputs[0].mixed)
    if isinstance(op, Flatten) or (isinstance(op, Reshape) and len(op.shape) == 1):
        return Row(inputs[0].atoms, types[0].elements // len(inputs[0].atoms), inputs[0].mixed)
    if isinstance(op, Reshape) and op.shape[0] == len(inputs[0].atoms):
        return Row(inputs[0].atoms, 1, inputs[0].mixed)
    if inputs and op.channelwise:
        for other in inputs[1:]:
            mine = inputs[0] if inputs[0].repeat == other.repeat else routing.spread(inputs[0])
            routing.join(mine.atoms, (other if other.repeat == mine.repeat else routing.spread(other)).atoms)
        return inputs[0]
    for row in inputs:
        routing.keep(row, f"`{node.name}` ({op.name}) fixes their number", node)
    made = Row(_own(module, node.type.shape[0], routing, own))
    routing.keep(made, f"`{node.name}` ({op.name}) fixes their number" if inputs else "the picture")
    return made


def _own(module: str, width: int, routing: Routing, own: dict[str, list[int]]) -> list[int]:
    if module not in own:
        own[module] = routing.new(module, width)
    return own[module]


def _mark_groups(name: str, side: str, atoms: Sequence[int], groups: int, routing: Routing) -> None:
    size = len(atoms) // groups
    for number in range(groups):
        routing.marks.append(((name, side, number), atoms[number * size : (number + 1) * size]))

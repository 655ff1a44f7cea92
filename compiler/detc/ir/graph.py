"""The graph: nodes that each give one tensor, the scopes they were written in, and the outputs. Built once, then
only replaced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from detc.diagnostics import Span
from detc.ir.op import Op
from detc.ir.types import TensorType

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class Node:
    """One op applied to tensors, giving one tensor.

    `name` is dotted and unique, and is the layer's name everywhere: in reports, in state_dict keys, in emitted files.
    `module` names the node that owns the weights: itself, or an earlier node where a layer is shared.
    `scope` is the path of the Scope it was written in. `span` is the op's own text; `via` the calls that led there,
    outermost first.
    `absorbed` names the nodes that passes have merged into this one, in order of execution.
    `arguments` tells where those arguments of the op stand that the spec writes: ("k", the span of `k = 5x5`).
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    type: TensorType
    span: Span | None = None
    scope: str = ""
    module: str = ""
    via: tuple[Span, ...] = ()
    absorbed: tuple[str, ...] = ()
    arguments: tuple[tuple[str, Span], ...] = ()

    @property
    def owns_weights(self) -> bool:
        return self.module in ("", self.name)

    def at(self, argument: str) -> Span | None:
        """Where an argument is written; the op's own span where it is a default."""
        return next((span for name, span in self.arguments if name == argument), self.span)


@dataclass(frozen=True, slots=True)
class Scope:
    """One place of the source in which nodes were made: the model (path ""), a pipeline, an instance of a block, a
    repetition, a list.

    `kind`: "model", "block" (an instance of block `block`), "pipeline" (the stages of a let with several stages or of a
    parenthesised composition), "repeat" (`f * n`, children named 0..n-1), "list" (a comprehension or list, children
    named 0..n-1).
    `path` is also the prefix of its nodes' names, so attribute paths of generated modules follow from it.
    `params` are the evaluated arguments of a block that are not tensors (plain values; functions as their source text).
    `inputs` are the names of the nodes whose tensors enter, in the order of the block's tensor parameters;
    `input_names` are those parameters' names, as many as the first of `inputs` come from them;
    `outputs` maps output names (lets too) to node names, "" for the unnamed result. `span` is the definition, `call`
    the use.
    """

    path: str
    kind: str
    block: str = ""
    params: tuple[tuple[str, Any], ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()
    children: tuple[str, ...] = ()
    span: Span | None = None
    call: Span | None = None
    doc: str = ""
    input_names: tuple[str, ...] = ()

    @property
    def parent(self) -> str:
        return self.path.rpartition(".")[0]


@dataclass(slots=True)
class Graph:
    """Nodes in execution order (each after its inputs) with their edges in a networkx DiGraph.

    `outputs` maps each output name to the node names it consists of (one, or several for a list).
    """

    name: str
    outputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    scopes: dict[str, Scope] = field(default_factory=dict)
    _nodes: dict[str, Node] = field(default_factory=dict)
    _edges: nx.DiGraph | None = None
    _users: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, node: Node) -> Node:
        """Append a node. Its inputs must be there already and its name free; KeyError or ValueError otherwise (a
        bug, not a user's mistake)."""
        if node.name in self._nodes:
            raise ValueError(f"node {node.name} exists")
        for name in node.inputs:
            self._nodes[name]
        self._nodes[node.name] = node
        for name in node.inputs:
            self._users.setdefault(name, {})[node.name] = None
        self._edges = None
        return node

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def edges(self) -> nx.DiGraph:
        """The networkx view: an edge from each input to its user; parallel uses fall together. Read only.

        Made on demand: loading networkx takes longer than checking most specs.
        """
        if self._edges is None:
            import networkx as nx

            self._edges = nx.DiGraph()
            self._edges.add_nodes_from(self._nodes)
            self._edges.add_edges_from((i, n.name) for n in self for i in n.inputs)
        return self._edges

    def users(self, name: str) -> list[Node]:
        """The nodes that read `name`, in execution order of their making."""
        return [self._nodes[user] for user in self._users.get(name, ())]

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """The nodes from which any of `names` can be reached, `names` themselves included."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._nodes[name].inputs
        return found

    def input_types(self, node: Node) -> tuple[TensorType, ...]:
        return tuple(self._nodes[i].type for i in node.inputs)

    @property
    def inputs(self) -> list[Node]:
        return [n for n in self if n.op.name == "input"]

    @property
    def output_nodes(self) -> list[str]:
        return [name for names in self.outputs.values() for name in names]

    def params(self) -> int:
        """Parameters of the whole net; a shared module counts once."""
        return sum(n.op.params(self.input_types(n)) for n in self if n.owns_weights)

    def macs(self) -> int:
        return sum(n.op.macs(self.input_types(n), n.type) for n in self)

    def rebuilt(self, nodes: Iterable[Node], outputs: Mapping[str, tuple[str, ...]] | None = None) -> Graph:
        """A new graph of these nodes (in order) with the same name and scopes: how a pass gives back its result."""
        new = Graph(self.name, dict(self.outputs if outputs is None else outputs), dict(self.scopes))
        for node in nodes:
            new.add(node)
        return new

    def renamed_inputs(self, node: Node, names: Mapping[str, str]) -> Node:
        return replace(node, inputs=tuple(names.get(i, i) for i in node.inputs))

"""The verifier: what must hold of every graph between any two passes. A complaint here is a bug in detc, not in a
spec."""

from __future__ import annotations

import re
from collections.abc import Iterator

from detc.ir.graph import Graph, Node
from detc.ir.op import Problem
from detc.ir.ops.conv import Conv
from detc.ir.types import BITS

_NAME = re.compile(r"[^\W\d]\w*(\.\w+)*")


class GraphError(Exception):
    """A graph that breaks its own rules: detc is at fault."""


def complaints(graph: Graph) -> Iterator[str]:
    """Everything wrong with a graph, one sentence each."""
    seen: set[str] = set()
    for node in graph:
        yield from _node_complaints(graph, node, seen)
        seen.add(node.name)
    for output, names in graph.outputs.items():
        yield from (f"output {output} reads {name}, which is not there" for name in names if name not in graph)
    import networkx as nx

    if not nx.is_directed_acyclic_graph(graph.edges):
        yield "the graph has a cycle"


def _node_complaints(graph: Graph, node: Node, seen: set[str]) -> Iterator[str]:
    if not _NAME.fullmatch(node.name):
        yield f"{node.name!r} is no dotted name"
    missing = [i for i in node.inputs if i not in seen]
    if missing:
        yield f"{node.name} reads {', '.join(missing)} before it is made"
        return
    if node.op.arity is not None and len(node.inputs) != node.op.arity:
        yield f"{node.name} reads {len(node.inputs)} tensors; {node.op.name} takes {node.op.arity}"
        return
    if node.type.dtype not in BITS:
        yield f"{node.name} has the unknown dtype {node.type.dtype}"
    inferred = node.op.infer(graph.input_types(node))
    if isinstance(inferred, Problem):
        yield f"{node.name} {inferred.message}"
    elif inferred.shape != node.type.shape:
        yield f"{node.name} says {node.type}, its op infers {inferred}"
    if not node.owns_weights:
        yield from _shared_complaints(graph, node, seen)


def _shared_complaints(graph: Graph, node: Node, seen: set[str]) -> Iterator[str]:
    if node.module not in seen:
        yield f"{node.name} shares the weights of {node.module}, which is not made before it"
        return
    owner = graph[node.module]
    if not owner.owns_weights:
        yield f"{node.name} shares the weights of {owner.name}, which itself shares those of {owner.module}"
    if owner.op.name != node.op.name:
        yield f"{node.name} ({node.op.name}) shares the weights of {owner.name} ({owner.op.name})"
    elif isinstance(node.op, Conv) and isinstance(owner.op, Conv):
        mine, theirs = node.op.weight_shape(graph.input_types(node)), owner.op.weight_shape(graph.input_types(owner))
        if mine != theirs:
            yield f"{node.name} needs weights {mine}, but shares those of {owner.name}, {theirs}"


def verify(graph: Graph, after: str = "") -> Graph:
    """The graph itself if it keeps all rules; GraphError that names the pass it comes from otherwise."""
    found = list(complaints(graph))
    if found:
        raise GraphError(f"after {after or 'building'}: " + "; ".join(found[:8]))
    return graph

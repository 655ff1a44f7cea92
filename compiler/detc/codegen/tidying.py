"""What is changed in a graph before it is written down: layers that do nothing go, repeated compositions get a class."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from detc.codegen.tree import relative
from detc.ir.graph import Graph, Scope


def tidied(graph: Graph) -> Graph:
    """The graph as it is to be read; names, weights and results are the same."""
    return with_units(without_identities(graph))


def without_identities(graph: Graph) -> Graph:
    """The graph without layers that do nothing: a branch that is switched off leaves no line."""
    through: dict[str, str] = {}
    nodes = []
    for node in graph:
        if node.op.name == "identity":
            through[node.name] = through.get(node.inputs[0], node.inputs[0])
        else:
            nodes.append(graph.renamed_inputs(node, through))
    if not through:
        return graph
    outputs = {name: tuple(through.get(n, n) for n in names) for name, names in graph.outputs.items()}
    known = graph.rebuilt(nodes, outputs)
    for path, scope in known.scopes.items():
        known.scopes[path] = replace(scope, inputs=tuple(through.get(i, i) for i in scope.inputs))
    return known


def with_units(graph: Graph) -> Graph:
    """The graph with `(conv(c) |> relu) * n` of a block taken for a block of its own, so that its class is written once.

    Instances where n is 1 hold the composition without numbers; they use the same class.
    """
    blocks = {path: scope for path, scope in graph.scopes.items() if scope.kind == "block"}
    instances = Counter(scope.block for scope in blocks.values())
    repeats = set()
    for path, scope in graph.scopes.items():
        home = _home(path, blocks) if scope.kind == "repeat" else None
        if home is not None and instances[home.block] > 1:
            repeats.add((home.block, relative(path, home.path)))
    changed: dict[str, Scope] = {}
    for path, scope in graph.scopes.items():
        home = _home(path, blocks) if scope.kind == "pipeline" else None
        if home is None:
            continue
        inner = relative(path, home.path)
        parent, _, last = inner.rpartition(".")
        place = parent if last.isdigit() else inner
        if (home.block, place) in repeats:
            word = f"{home.block}_{place.rpartition('.')[2].rstrip('0123456789')}"
            said = f"What `{home.block}` repeats."
            changed[path] = replace(scope, kind="block", block=word, params=home.params, span=home.span, doc=said)
    if not changed:
        return graph
    known = graph.rebuilt(graph)
    known.scopes.update(changed)
    return known


def _home(path: str, blocks: dict[str, Scope]) -> Scope | None:
    """The innermost block around a scope."""
    while path:
        path = path.rpartition(".")[0]
        if path in blocks:
            return blocks[path]
    return None

"""Shared layers: a node may name another as the owner of its weights, and so may every node of a whole scope."""

from __future__ import annotations

from collections.abc import Iterator

from detc.codegen.tree import Place, encloses, relative
from detc.ir.graph import Graph, Node


def twins(graph: Graph, root: Place) -> dict[str, str]:
    """Scopes that run another scope's modules once more, as path -> path of the owner."""
    found: dict[str, str] = {}

    def visit(place: Place) -> None:
        if owner := _owner(graph, root, place):
            found[place.path] = owner
            return
        for inner in place.inner.values():
            visit(inner)

    for place in root.inner.values():
        visit(place)
    return found


def foreign_scopes(graph: Graph, root: Place, known: dict[str, str]) -> frozenset[str]:
    """Blocks that hold a call of a module outside them: no class of their own can reach it."""
    calls = dict(known)
    calls |= {n.name: n.module for n in graph if not n.owns_weights and not any(encloses(t, n.name) for t in known)}
    found = set()
    for at, owner in calls.items():
        while at := at.rpartition(".")[0]:
            if at in graph.scopes and graph.scopes[at].kind == "block" and not encloses(at, owner):
                found.add(at)
    return frozenset(found)


def _owner(graph: Graph, root: Place, place: Place) -> str:
    """The path of the scope whose modules `place` reuses node by node, with the same wiring; "" if there is none."""
    if place.node or not place.scope:
        return ""
    nodes = place.nodes()
    if any(n.owns_weights and _has_module(graph, n) for n in nodes):
        return ""
    shared = next((n for n in nodes if not n.owns_weights), None)
    if shared is None:
        return ""
    tail = f".{relative(shared.name, place.path)}"
    owner = shared.module.removesuffix(tail) if shared.module.endswith(tail) else ""
    if not owner or encloses(owner, place.path):
        return ""
    original = _find(root, owner)
    if original is None or list(_wiring(graph, place)) != list(_wiring(graph, original)):
        return ""
    return owner


def _has_module(graph: Graph, node: Node) -> bool:
    spelled = node.op.torch(graph.input_types(node))
    return spelled is not None and spelled.is_module


def _find(root: Place, path: str) -> Place | None:
    here: Place | None = root
    for part in path.split("."):
        here = here.inner.get(part) if here else None
    return here


def _wiring(graph: Graph, place: Place) -> Iterator[tuple[object, ...]]:
    """Layers, wires and what is read outside, all relative to the scope: equal for scopes that one call can stand for."""
    inner = {n.name for n in place.nodes()}
    outside: dict[str, int] = {}
    for node in place.nodes():
        wires = [relative(i, place.path) if i in inner else outside.setdefault(i, len(outside)) for i in node.inputs]
        read = node.name in graph.output_nodes or any(u.name not in inner for u in graph.users(node.name))
        yield relative(node.name, place.path), node.op.name, tuple(wires), read

"""The tree of places: which layers and scopes stand under which, in the order in which they run."""

from __future__ import annotations

from dataclasses import dataclass, field

from detc.ir.graph import Graph, Node, Scope


@dataclass(slots=True)
class Place:
    """A layer (`node`) or a scope with the places in it. `name` is the last part of `path`."""

    path: str
    name: str
    scope: Scope | None = None
    node: Node | None = None
    inner: dict[str, Place] = field(default_factory=dict)

    def nodes(self) -> list[Node]:
        """All layers at or under this place, in order of execution within each scope."""
        return [self.node] if self.node else [n for p in self.inner.values() for n in p.nodes()]


def places(graph: Graph) -> Place:
    """The root of the tree. A prefix of names without a scope of its own counts as a pipeline, or a list of numbers."""
    root = Place("", "", graph.scopes.get("") or Scope("", "model"))
    for node in graph:
        if node.op.name == "input":
            continue
        here = root
        parts = node.name.split(".")
        for depth, part in enumerate(parts[:-1], start=1):
            path = ".".join(parts[:depth])
            if part not in here.inner:
                kind = "list" if parts[depth].isdigit() else "pipeline"
                here.inner[part] = Place(path, part, graph.scopes.get(path) or Scope(path, kind))
            here = here.inner[part]
        here.inner[parts[-1]] = Place(node.name, parts[-1], node=node)
    return root


def encloses(scope: str, path: str) -> bool:
    """Whether `path` lies strictly inside `scope`."""
    return not scope or path.startswith(f"{scope}.")


def relative(path: str, scope: str) -> str:
    return path[len(scope) + 1 :] if scope else path

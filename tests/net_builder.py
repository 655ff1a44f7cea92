"""Graphs by hand, layer by layer under the names that the elaborator would give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detc.diagnostics import Span
from detc.ir.graph import Graph, Node, Scope
from detc.ir.op import Problem
from detc.ir.ops import OPS
from detc.ir.ops.source import Input
from detc.ir.types import TensorType
from detc.semantics.program import Model


class Net:
    """A graph under construction. Every call gives the name of what it made."""

    def __init__(self, name: str = "net", shape: tuple[int, ...] = (3, 32, 32)) -> None:
        self.graph = Graph(name)
        self.graph.scopes[""] = Scope("", "model")
        self.graph.add(Node("frame", Input(shape), (), TensorType(shape, "u8")))

    def add(self, name: str, op: str, *inputs: str, module: str = "", line: int = 1, **given: Any) -> str:
        """A layer: `given` are arguments as in a spec; `module` owns its weights."""
        kind = OPS[op]
        types = [self.graph[i].type for i in inputs]
        defaults = {a.name: a.default for a in kind.arguments if not a.required}
        made = kind.make(types, defaults | given)
        assert not isinstance(made, Problem), made
        result = made.infer(types)
        assert not isinstance(result, Problem), result
        scope = name.rpartition(".")[0]
        self.graph.add(Node(name, made, inputs, result, Span("net.det", line, 1, line, 9), scope, module))
        return name

    def scope(
        self,
        path: str,
        kind: str,
        block: str = "",
        inputs: Sequence[str] = (),
        outputs: Sequence[tuple[str, str]] = (),
        line: int = 1,
        doc: str = "",
        **params: Any,
    ) -> None:
        span = Span("net.det", line, 1, line, 9)
        self.graph.scopes[path] = Scope(
            path, kind, block, tuple(params.items()), tuple(inputs), tuple(outputs), (), span, span, doc
        )

    def model(self, doc: str = "", **outputs: str | tuple[str, ...]) -> Model:
        self.graph.outputs = {n: (o,) if isinstance(o, str) else o for n, o in outputs.items()}
        return Model(self.graph.name, "detector", self.graph, [], Span("net.det", 7, 1, 9, 2), doc)

"""The graph as text and back: one line a node, for golden files, `detc show --graph` and bug reports.

    graph gnetdet
      frame = input() {"shape": [3, 448, 448]} : u8[3, 448, 448]
      p4.conv1 = conv(frame) {"channels": 64} : f32[64, 448, 448]
      twin = conv(frame) {"channels": 64} module p4.conv1 : f32[64, 448, 448]
      output grid = p4.conv1, twin

Attributes stand only where they differ from the op's default. Spans and scopes are left out: the lock file carries
those.
"""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, fields
from typing import Any

from detc.ir.graph import Graph, Node
from detc.ir.op import Op
from detc.ir.ops import ALL_OPS
from detc.ir.types import TensorType

_NAME = r"[^\W\d][\w.]*"
_HEAD = re.compile(rf"\s*(?P<name>{_NAME}) = (?P<op>[\w.]+)\((?P<inputs>[\w., ]*)\) ?")
_TAIL = re.compile(rf" ?(?:module (?P<module>{_NAME}) )?: (?P<dtype>\w+)\[(?P<shape>[\d, ]*)\]\s*$")
_OUTPUT = re.compile(rf"\s*output (?P<name>{_NAME}) = (?P<nodes>[\w., ]+)$")


def plain(value: Any) -> Any:
    """An attribute as JSON knows it: tuples as lists."""
    return [plain(v) for v in value] if isinstance(value, tuple) else value


def attribute(value: Any) -> Any:
    """The inverse of `plain`: lists as tuples, so that ops stay hashable."""
    return tuple(attribute(v) for v in value) if isinstance(value, list) else value


def op_from(name: str, attributes: dict[str, Any]) -> Op:
    """The op `name` with these plain attributes; defaults fill the rest. KeyError or TypeError if they do not fit."""
    return ALL_OPS[name](**{key: attribute(value) for key, value in attributes.items()})


def changed_attributes(op: Op) -> dict[str, Any]:
    """The attributes that differ from the op's defaults, as plain values."""
    defaults = {f.name: f.default for f in fields(op)}
    return {k: plain(v) for k, v in op.attributes().items() if defaults[k] is MISSING or v != defaults[k]}


def print_node(node: Node) -> str:
    attributes = changed_attributes(node.op)
    written = f" {json.dumps(attributes)}" if attributes else ""
    shared = "" if node.owns_weights else f" module {node.module}"
    return f"{node.name} = {node.op.name}({', '.join(node.inputs)}){written}{shared} : {node.type}"


def print_graph(graph: Graph) -> str:
    """The text form, with a line end at the end."""
    lines = [f"graph {graph.name}"]
    lines += [f"  {print_node(node)}" for node in graph]
    lines += [f"  output {name} = {', '.join(nodes)}" for name, nodes in graph.outputs.items()]
    return "\n".join(lines) + "\n"


def parse_graph(text: str) -> Graph:
    """The graph that `print_graph` printed. ValueError with the line's number and text where it does not read."""
    lines = text.splitlines()
    if not lines or not lines[0].startswith("graph "):
        raise ValueError("line 1: a graph starts with `graph NAME`")
    graph = Graph(lines[0].removeprefix("graph ").strip())
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            if output := _OUTPUT.match(line):
                graph.outputs[output["name"]] = tuple(n.strip() for n in output["nodes"].split(","))
            else:
                graph.add(_parse_node(line))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"line {number}: {line.strip()!r} does not read: {error}") from error
    return graph


def _parse_node(line: str) -> Node:
    head = _HEAD.match(line)
    if not head:
        raise ValueError("expected `name = op(inputs)`")
    attributes: dict[str, Any] = {}
    end = head.end()
    if line[end : end + 1] == "{":
        attributes, end = json.JSONDecoder().raw_decode(line, end)
    tail = _TAIL.match(line, end)
    if not tail:
        raise ValueError("expected `: dtype[shape]` at its end")
    shape = tuple(int(n) for n in tail["shape"].split(",") if n.strip())
    return Node(
        name=head["name"],
        op=op_from(head["op"], attributes),
        inputs=tuple(i.strip() for i in head["inputs"].split(",") if i.strip()),
        type=TensorType(shape, tail["dtype"]),
        module=tail["module"] or "",
    )

"""Dead code: layers that no output reads are left out, and said so."""

from __future__ import annotations

from dataclasses import replace

from detc.diagnostics import Rule
from detc.ir.graph import Graph, Node
from detc.passes.context import Context, Result

UNUSED = Rule(
    "PAS101",
    "warning",
    """`{name}` is never used: {count} and {params} parameters are left out

    A tensor that reaches no `output` changes no detection. It is kept out of the generated code, of the counts and
    of the
    chip, so that an unused branch never costs memory.""",
    help="name it in an `output`, or take it out of the spec",
)


def dead_code(graph: Graph, context: Context) -> Result:
    """The graph without the nodes from which no output can be reached; inputs stay. One warning a written place."""
    alive = graph.ancestors(graph.output_nodes)
    dead = [n for n in graph if n.name not in alive and n.op.name != "input"]
    if not dead or not alive:
        return graph, ()
    kept = graph.rebuilt(_rehomed(graph, {n.name for n in dead}))
    places: dict[str, list[Node]] = {}
    for node in dead:
        places.setdefault(node.name.partition(".")[0], []).append(node)
    findings = tuple(
        UNUSED(
            (nodes[0].via or (nodes[0].span,))[0],
            name=place,
            count=f"{len(nodes)} layer{'s' if len(nodes) > 1 else ''}",
            params=f"{sum(n.op.params(graph.input_types(n)) for n in nodes if n.owns_weights):,}",
        )
        for place, nodes in places.items()
    )
    return kept, findings


def _rehomed(graph: Graph, dead: set[str]) -> list[Node]:
    """The living nodes; where the owner of shared weights dies, its first living user owns them from then on."""
    owners: dict[str, str] = {}
    nodes = []
    for node in graph:
        if node.name in dead:
            continue
        if not node.owns_weights and node.module in dead:
            node = replace(node, module=owners.setdefault(node.module, node.name))
        nodes.append(node)
    return nodes

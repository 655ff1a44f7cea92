"""Batch norm folding: conv followed by bn becomes one conv, as every chip here computes it.

w' = w * gamma / sqrt(var + eps), b' = (b - mean) * gamma / sqrt(var + eps) + beta. The pass changes the structure;
the numbers are
folded by the runtime, which finds the bn layer's name in `Conv.batch_norm`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from detc.ir.graph import Graph, Node
from detc.ir.ops.conv import Conv
from detc.ir.ops.norm import BatchNorm
from detc.passes.context import Context, Result


def fold_batch_norm(graph: Graph, context: Context) -> Result:
    """The graph with each bn merged into the conv before it, where that conv feeds nothing else and shares no
    weights."""
    uses = Counter(node.module or node.name for node in graph)
    nodes: dict[str, Node] = {}
    names: dict[str, str] = {}
    for node in graph:
        conv = nodes.get(names.get(node.inputs[0], node.inputs[0])) if node.inputs else None
        if isinstance(node.op, BatchNorm) and conv is not None and _foldable(graph, conv, node, uses, context):
            assert isinstance(conv.op, Conv)
            folded = replace(conv.op, bias=True, batch_norm=node.name)
            nodes[conv.name] = replace(conv, op=folded, absorbed=(*conv.absorbed, node.name))
            names[node.name] = conv.name
        else:
            nodes[node.name] = graph.renamed_inputs(node, names)
    if not names:
        return graph, ()
    outputs = {o: tuple(names.get(n, n) for n in group) for o, group in graph.outputs.items()}
    return graph.rebuilt(nodes.values(), outputs), ()


def _foldable(graph: Graph, conv: Node, bn: Node, uses: Counter[str], context: Context) -> bool:
    return (
        isinstance(conv.op, Conv)
        and not conv.op.batch_norm
        and conv.name == bn.inputs[0]
        and len(graph.users(conv.name)) == 1
        and conv.name not in graph.output_nodes
        and uses[conv.module or conv.name] == 1
        and uses[bn.module or bn.name] == 1
        and not {conv.name, bn.name} & context.keep
    )

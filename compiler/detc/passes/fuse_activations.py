"""Activation fusion: an activation that alone reads a conv or linear layer is computed by that layer."""

from __future__ import annotations

from dataclasses import replace

from detc.ir.graph import Graph, Node
from detc.ir.ops.activation import Activation, Softmax
from detc.ir.ops.conv import Conv, Linear, with_activation
from detc.passes.context import Context, Result


def fuse_activations(graph: Graph, context: Context) -> Result:
    """The graph with each fusable activation merged into the layer before it; the merged node keeps the layer's name.

    Softmax stays apart: it looks at all channels at once.
    """
    nodes: dict[str, Node] = {}
    names: dict[str, str] = {}
    for node in graph:
        layer = nodes.get(node.inputs[0]) if len(node.inputs) == 1 else None
        op = node.op
        if isinstance(op, Activation) and not isinstance(op, Softmax) and _fusable(graph, layer, node, context):
            assert layer is not None and isinstance(layer.op, Conv | Linear)
            fused = with_activation(layer.op, op.fused())
            nodes[layer.name] = replace(layer, op=fused, absorbed=(*layer.absorbed, node.name))
            names[node.name] = layer.name
        else:
            nodes[node.name] = graph.renamed_inputs(node, names)
    if not names:
        return graph, ()
    outputs = {o: tuple(names.get(n, n) for n in group) for o, group in graph.outputs.items()}
    return graph.rebuilt(nodes.values(), outputs), ()


def _fusable(graph: Graph, layer: Node | None, activation: Node, context: Context) -> bool:
    return (
        layer is not None
        and isinstance(layer.op, Conv | Linear)
        and layer.op.activation is None
        and len(graph.users(layer.name)) == 1
        and layer.name not in graph.output_nodes
        and not {layer.name, activation.name} & context.keep
    )

"""A plain interpreter of graphs with torch's functions: what a generated model must give, bit for bit."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from detc.ir.graph import Graph, Node


def reference_outputs(graph: Graph, weights: dict[str, Tensor], x: Tensor) -> dict[str, list[Tensor]]:
    values: dict[str, Tensor] = {}
    for node in graph:
        values[node.name] = x if node.op.name == "input" else run(node, [values[i] for i in node.inputs], weights)
    return {name: [values[n] for n in nodes] for name, nodes in graph.outputs.items()}


def run(node: Node, xs: list[Tensor], weights: dict[str, Tensor]) -> Tensor:
    op: Any = node.op
    owner = node.module or node.name
    x = xs[0]
    match op.name:
        case "conv":
            b = weights.get(f"{owner}.bias")
            w = normed(weights, owner) if op.weight_norm else weights[f"{owner}.weight"]
            x = F.pad(x, (0, op.end[1], 0, op.end[0]))
            return F.conv2d(x, w, b, op.stride, op.pad, op.dilation, op.groups)
        case "linear":
            return F.linear(x, weights[f"{owner}.weight"], weights.get(f"{owner}.bias"))
        case "bn":
            state = [weights[f"{owner}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")]
            return F.batch_norm(x, *state, False, op.momentum, op.eps)
        case "relu":
            return F.relu(x) if op.cap is None else x.clamp(0.0, op.cap)
        case "leaky":
            return F.leaky_relu(x, op.slope)
        case "silu":
            return F.silu(x)
        case "hswish":
            return F.hardswish(x)
        case "hsigmoid":
            return F.hardsigmoid(x)
        case "maxpool":
            x = F.pad(x, (0, op.end[1], 0, op.end[0]), value=-torch.inf)
            return F.max_pool2d(x, op.k, op.stride, op.pad, ceil_mode=op.ceil)
        case "pad":
            top, left, bottom, right = op.sides
            return F.pad(x, (left, right, top, bottom))
        case "samplepool":
            return x[:, :, :: op.k[0], :: op.k[1]].contiguous()
        case "avgpool":
            return x.mean((2, 3), keepdim=True) if op.k is None else F.avg_pool2d(x, op.k, op.stride, op.pad)
        case "upsample":
            return F.interpolate(x, scale_factor=tuple(map(float, op.factor)), mode=op.mode)
        case "add":
            return xs[0] + xs[1]
        case "mul":
            return xs[0] * xs[1]
        case "concat":
            return torch.cat(xs, dim=1)
        case "channels":
            return x[:, op.first : op.last + 1]
        case "shuffle":
            n, c, h, w = x.shape
            return x.view(n, op.groups, c // op.groups, h, w).transpose(1, 2).reshape(n, c, h, w)
        case "space_to_depth":
            n = op.block
            turns = [(r, c) for r in range(n) for c in range(n)]
            turns = turns if op.order == "rows" else [(r, c) for c, r in turns]
            return torch.cat([x[:, :, r::n, c::n] for r, c in turns], dim=1)
        case "unpool":
            return torch.kron(x, normed(weights, owner)[0, 0])
        case "neuron.sigma_delta":
            x = x - weights[f"{owner}.norm.running_mean"].view(-1, 1, 1) if op.norm else x
            return F.relu(x) if op.activation else x
        case "neuron.encode" | "neuron.sigma":
            return x
        case "flatten":
            return x.flatten(1)
        case "reshape":
            return x.reshape(-1, *op.shape)
        case "identity" | "dropout":
            return x
    raise NotImplementedError(op.name)


def normed(weights: dict[str, Tensor], owner: str) -> Tensor:
    """Weights of a length `weight_g` in the direction of `weight_v`, an output channel."""
    v, g = weights[f"{owner}.weight_v"], weights[f"{owner}.weight_g"]
    return v * (g / v.square().sum((1, 2, 3), keepdim=True).sqrt())

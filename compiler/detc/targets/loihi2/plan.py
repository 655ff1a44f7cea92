"""The plan of the lock file: the chains of layers and the cores they take, as plain JSON values.

    {"schema": 1, "spike_exp": 6, "nets": [NET, ..]}

    NET = {"name": "network" if it is the only one, else its output's name (with the number of its tensor: p0, p1),
           "output": output of the model, "index": number of its tensor there,
           "input": {"node", "shape": [C, H, W], "steps": n | null},
           "layers": [LAYER, ..], "cores": 574, "chips": 5, "latency": 10}

    LAYER = {"name", "type", "nodes": [IR node, ..], "where": "yolo_kp.det:20", "shape": [C, H, W] | [n], + by type}

By type:

    input    neuron
    flatten  nothing more
    conv     in out k stride pad dilation ([rows, columns] each) groups, + what takes cores
    dense    in out in_shape ([C, H, W] of the map that was flattened, else [n]), + what takes cores

What takes cores has module, weight_norm, weight_bits, neuron, sigma, delay, cores, tile, and usage: how full a core with a whole
tile is, in percent: {"neuron_groups", "neurons", "synapses", "axon_in", "axon_map", "axon_memory", "total"}.

`module` is the prefix of a layer's tensors in a state_dict. `tile` is [columns, rows, channels], of a dense layer [outputs].
`neuron` is null where `sigma` is true (the read-out), else

    {"module", "threshold", "tau_grad", "scale_grad", "activation": "relu" | null, "norm": bool, "shared", "trainable",
     "message_bits"}

and with `norm` its means are the tensor MODULE.norm.running_mean.
`latency` counts the steps of conv and dense layers, one each, and their delays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from detc.codegen.names import place
from detc.ir.graph import Node
from detc.ir.ops.conv import Conv
from detc.ir.ops.neuron import Encode
from detc.ir.ops.source import Input
from detc.targets.loihi2.layers import Layer, Net, module_of, neuron_of
from detc.targets.loihi2.metrics import latency
from detc.targets.loihi2.tiles import Mapped, Mapper

SCHEMA = 1

Plan = dict[str, Any]


def plan_json(nets: Sequence[Net], mapped: Mapping[str, Mapped], mapper: Mapper) -> Plan:
    """The `plan` of the lock file; `mapped` are the layers that take cores, by name."""
    facts = mapper.facts
    return {
        "schema": SCHEMA,
        "spike_exp": facts.number("type.message.spike_exp"),
        "nets": [_net(net, mapped, mapper) for net in nets],
    }


def _net(net: Net, mapped: Mapping[str, Mapped], mapper: Mapper) -> Plan:
    facts = mapper.facts
    assert isinstance(net.input.op, Input)
    cores = sum(mapped[layer.name].cores for layer in net.layers if layer.multiplies)
    return {
        "name": net.name,
        "output": net.output,
        "index": net.index,
        "input": {"node": net.input.name, "shape": list(net.input.type.shape), "steps": net.input.op.steps},
        "layers": [
            _layer(layer, before, mapped.get(layer.name), mapper)
            for layer, before in zip(net.layers, (None, *net.layers), strict=False)
        ],
        "cores": cores,
        "chips": -(-cores // facts.number("chip.cores")),
        "latency": latency(net, facts),
    }


def _layer(layer: Layer, before: Layer | None, mapped: Mapped | None, mapper: Mapper) -> Plan:
    found: Plan = {
        "name": layer.name,
        "type": layer.kind,
        "nodes": [node.name for node in layer.nodes],
        "where": place((layer.node.via or (layer.node.span,))[0]),
        "shape": list(layer.shape),
    }
    if layer.kind == "input":
        return found | {"neuron": _neuron(layer.node)}
    if layer.kind == "flatten":
        return found
    assert mapped is not None
    op = layer.op
    if isinstance(op, Conv):
        found |= {
            "in": layer.in_shape[0],
            "out": op.channels,
            "k": list(op.k),
            "stride": list(op.stride),
            "pad": list(op.pad),
            "dilation": list(op.dilation),
            "groups": op.groups,
        }
    else:
        flat = before is not None and before.kind == "flatten"
        shape = before.in_shape if before is not None and flat else layer.in_shape
        found |= {"in": prod(layer.in_shape), "out": op.features, "in_shape": list(shape)}
    return found | {
        "module": module_of(layer.node),
        "weight_norm": op.weight_norm,
        "weight_bits": mapper.facts.number("type.weight.bits"),
        "neuron": _neuron(layer.neurons) if layer.neurons else None,
        "sigma": layer.sigma is not None,
        "delay": layer.delay,
        "cores": mapped.cores,
        "tile": list(mapped.tile),
        "usage": mapper.shares(mapped.usage),
    }


def _neuron(node: Node) -> Plan:
    op = neuron_of(node)
    return {
        "module": module_of(node),
        "threshold": op.threshold,
        "tau_grad": op.tau_grad,
        "scale_grad": op.scale_grad,
        "activation": None if isinstance(op, Encode) else op.activation,
        "norm": False if isinstance(op, Encode) else op.norm is not None,
        "shared": isinstance(op, Encode) or op.shared,
        "trainable": op.trainable,
        "message_bits": op.message,
    }

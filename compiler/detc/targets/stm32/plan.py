"""The plan of the lock file: steps, tensors and where they lie, as plain JSON values.

    {"schema": 1, "input": tensor, "outputs": {output of the model: [tensor, ..]},
     "tensors": {name: {"shape": [height, width, channels] | [features], "quant": the tensor whose Quant it has}},
     "aliases": {tensor: the tensor whose bytes it is},
     "steps": [{"name", "kernel", "inputs", "output", "nodes", "where", "activation", + the kernel's attributes}]}

Attributes by kernel:

    conv            k stride pad dilation groups module norm eps weight_norm
    depthwise       k stride pad dilation module norm eps weight_norm
    dense           module norm eps reorder_weights (the [channels, height, width] that the flat input was, or null)
    max_pool        k stride pad
    average_pool    k stride pad (a mean over the whole map has a window as large as it)
    channels        first count every
    shuffle         groups
    space_to_depth  block order ([row, column] of the pixels in the order of their channels)
    resize          factor bilinear
    reorder         axes
    add mul concat table  none

`pad` is [top, left, bottom, right]: the last two are as many as the last window needs. The output of a step is what the last
of its `nodes` gives; `where` is the line of the spec ("mine.det:20").
"""

from __future__ import annotations

from typing import Any

from detc.codegen.names import place
from detc.targets.stm32.steps import Step, Steps

SCHEMA = 1

Plan = dict[str, Any]


def plan_json(steps: Steps) -> Plan:
    """The `plan` of the lock file."""
    return {
        "schema": SCHEMA,
        "input": steps.input,
        "outputs": {name: list(tensors) for name, tensors in steps.outputs.items()},
        "tensors": {
            name: {"shape": list(shape), "quant": steps.quants.get(name, name)} for name, shape in steps.tensors.items()
        },
        "aliases": dict(steps.aliases),
        "steps": [_step(step) for step in steps.steps],
    }


def _step(step: Step) -> Plan:
    return {
        "name": step.name,
        "kernel": step.kernel,
        "inputs": list(step.inputs),
        "output": step.output,
        "nodes": list(step.nodes),
        "where": place((step.via or (step.span,))[0]),
        "activation": list(step.activation) if step.activation else None,
        **step.attributes,
    }

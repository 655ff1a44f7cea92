"""The plan of the lock file: steps, tensors and where they lie, as plain JSON values.

    {"schema": 1, "input": tensor, "outputs": {output of the model: [tensor, ..]},
     "tensors": {name: {"shape": [height, width, channels] | [features], "quant": the tensor whose Quant it has}},
     "aliases": {tensor: the tensor whose bytes it is},
     "steps": [{"name", "kernel", "inputs", "output", "nodes", "where", "activation", + the kernel's attributes}],
     "arena": {"bytes", "bound", "alone", "peak": step, "planner",
               "pools": [{"name", "address", "bytes" (that the net may use), "used"}],
               "offsets": {tensor: {"pool", "offset"}} of those that are no alias and lie in memory whole,
               "scratch": {step: {"pool", "offset", "bytes"}},
               "streams": [{"steps": [step, ..], "windows": {tensor: {"pool", "offset", "rows"}}}]}}

Attributes by kernel:

    conv            k stride pad dilation groups module norm eps weight_norm
    depthwise       k stride pad dilation module norm eps weight_norm
    dense           module norm eps reorder_weights (the [channels, height, width] that the flat input was, or null)
                    weight_norm (where it has one)
    max_pool        k stride pad
    average_pool    k stride pad (a mean over the whole map has a window as large as it)
    channels        first count every
    shuffle         groups
    space_to_depth  block order ([row, column] of the pixels in the order of their channels)
    resize          factor bilinear
    reorder         axes
    add mul concat table  none

The steps of a stream follow each other and take turns row by row (`stream.py`); tensors that only they read have windows of so
many rows in place of an offset.

`pad` is [top, left, bottom, right]: the last two are as many as the last window needs. The output of a step is what the last
of its `nodes` gives; `where` is the line of the spec ("mine.det:20").
"""

from __future__ import annotations

from typing import Any

from detc.codegen.names import place
from detc.targets.stm32.arena import Arena
from detc.targets.stm32.schedule import Schedule
from detc.targets.stm32.slots import scratch_bytes
from detc.targets.stm32.steps import Step, Steps
from detc.targets.stm32.stream import row_bytes
from detc.targets.stm32.tenants import SCRATCH

SCHEMA = 1

Plan = dict[str, Any]


def plan_json(steps: Steps, arena: Arena) -> Plan:
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
        "arena": arena_json(steps, arena),
    }


def arena_json(steps: Steps, arena: Arena) -> Plan:
    """Where everything lies. `bytes` are used in all; no plan of this schedule needs fewer than `bound`, those of step `peak`,
    and none of this order without streams fewer than `alone`."""
    spots = {
        tenant.name: {"pool": arena.rooms[room].name, "offset": offset}
        for tenant, (room, offset) in zip(arena.house.tenants, arena.places, strict=True)
    }
    inner = {name for slot in arena.slots for name, _ in slot.windows}
    return {
        "bytes": arena.bytes,
        "bound": arena.bound,
        "alone": Schedule(steps, 0).fullest(),
        "peak": arena.slots[arena.peak].steps[-1].name if arena.slots else "",
        "planner": arena.planner,
        "pools": [
            {"name": room.name, "address": room.address, "bytes": room.bytes, "used": used}
            for room, used in zip(arena.rooms, arena.used, strict=True)
        ],
        "offsets": {name: spots[name] for name in steps.storages() if name not in inner},
        "scratch": {
            step.name: {**spots[slot.output + SCRATCH], "bytes": need}
            for slot in arena.slots
            for step in slot.steps
            if (need := scratch_bytes(steps, step))
        },
        "streams": [
            {
                "steps": [step.name for step in slot.steps],
                "windows": {
                    name: {**spots[name], "rows": size // row_bytes(steps, name)} for name, size in slot.windows
                },
            }
            for slot in arena.slots
            if len(slot.steps) > 1
        ],
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

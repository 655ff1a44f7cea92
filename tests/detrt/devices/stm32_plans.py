"""Plans for programs of tests: every tensor with bytes of its own, or the arena that detc plans."""

from __future__ import annotations

from typing import Any

from detc.targets.stm32 import scratch
from detc.targets.stm32.arena import plan_arena
from detc.targets.stm32.plan import arena_json
from detc.targets.stm32.steps import Step as PlanStep
from detc.targets.stm32.steps import Steps
from detrt.devices.stm32.program import Conv, Dense, Depthwise, Program, Step

DEFAULTS: dict[str, Any] = {"stride": [1, 1], "pad": [0, 0, 0, 0], "dilation": [1, 1], "groups": 1}
"""What the plans of random nets leave out."""


def plan_apart(program: Program) -> dict[str, Any]:
    """`plan` of a lock, as far as the C code reads it: one pool in which nothing overlaps."""
    offsets, working, end = {}, {}, 0
    for name, tensor in program.tensors.items():
        if name not in program.aliases:
            offsets[name] = {"pool": "ram", "offset": end}
            end += tensor.bytes
    for step in program.steps:
        if need := scratch_of(step):
            end += -end % scratch.ALIGNMENT
            working[step.name] = {"pool": "ram", "offset": end, "bytes": need}
            end += need
    return {
        "schema": 1,
        "arena": {
            "bytes": end,
            "pools": [{"name": "ram", "address": 0x20000000, "bytes": 128 << 10}],
            "offsets": offsets,
            "scratch": working,
        },
    }


def scratch_of(step: Step) -> int:
    """Bytes that the kernels of detc_kernels.h ask for."""
    match step:
        case Conv():
            _, rows, columns, inner = step.weight.shape
            return scratch.conv((rows, columns), inner * step.groups, step.groups, step.pad)
        case Depthwise():
            rows, columns, channels = step.weight.shape
            return scratch.depthwise((rows, columns), channels)
        case Dense():
            return scratch.dense(step.weight.shape[1])
    return 0


def planned(plan: dict[str, Any]) -> dict[str, Any]:
    """`plan` of a lock with the arena that detc plans for its steps, outputs over inputs where kernels allow it."""
    steps = Steps(
        plan["input"],
        {name: tuple(tensor["shape"]) for name, tensor in plan["tensors"].items()},
        [_step(step) for step in plan["steps"]],
        {name: tuple(tensors) for name, tensors in plan["outputs"].items()},
        dict(plan["aliases"]),
    )
    return plan | {"arena": arena_json(steps, plan_arena(steps, []))}


def _step(step: dict[str, Any]) -> PlanStep:
    own = {"name", "kernel", "inputs", "output", "nodes", "activation", "where"}
    attributes = DEFAULTS | {key: value for key, value in step.items() if key not in own}
    return PlanStep(step["name"], step["kernel"], tuple(step["inputs"]), step["output"], (), attributes)

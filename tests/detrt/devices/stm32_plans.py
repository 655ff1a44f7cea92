"""Plans for programs of tests: every tensor with bytes of its own, or the arena that detc plans."""

from __future__ import annotations

from typing import Any

from detc.targets.stm32 import scratch
from detc.targets.stm32.arena import plan_arena
from detc.targets.stm32.plan import arena_json
from detrt.devices.stm32.program import Conv, Dense, Depthwise, Program, Step
from stm32_schedules import steps_from, streamed


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


def planned(plan: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    """`plan` of a lock with an arena as detc plans it, or for odd seeds with streams wherever there may be some."""
    steps = steps_from(plan)
    return plan | {"arena": arena_json(steps, streamed(steps, seed) if seed % 2 else plan_arena(steps, []))}


def in_windows(plan: dict[str, Any]) -> frozenset[str]:
    """The tensors that never lie in memory whole."""
    return frozenset(name for stream in plan["arena"]["streams"] for name in stream["windows"])

"""What detc's own C code takes of the flash: the arrays of network_weights.c, known before there are weights, and the code around
them, estimated from the kernels that the net uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detc.semantics.program import Head, Target
from detc.targets.stm32.estimates import Estimate
from detc.targets.stm32.facts import number
from detc.targets.stm32.postprocess_buffers import map_count
from detc.targets.stm32.steps import Step, Steps, map_shape

CONSTANTS, CODE = "own_constants", "own_code"
"""Sections of the target."""
WEIGHTED = ("conv", "depthwise", "dense")
MULTIPLYING = ("conv", "dense")
"""Kernels that multiply matrices, by code that they share."""
CLASSIFIER = "softmax"


@dataclass(frozen=True, slots=True)
class OwnFlash:
    """Bytes of constants and of code."""

    constants: int
    code: Estimate


def own_flash(steps: Steps, streams: bool, heads: Sequence[Head], target: Target) -> OwnFlash:
    """The flash of a net in detc's own C code; `streams`: some of its steps take turns row by row."""
    return OwnFlash(constant_bytes(steps, target), _code(steps, streams, heads, target))


def constant_bytes(steps: Steps, target: Target) -> int:
    """Bytes of network_weights.c: weights, what each channel is finished with, and tables.

    The numbers decide two things more: a layer that enlarges its sums has another byte a channel, and an input of a concat that
    happens to have the concat's scale needs no table. Neither is counted on.
    """
    facts = target.root.find(CONSTANTS)
    weight, channel, table = (round(number(facts, name)) for name in ("weight", "channel", "table"))
    total = 0
    for step in steps.steps:
        if step.kernel in WEIGHTED:
            total += _weights(steps, step) * weight + map_shape(steps.tensors[step.output])[2] * channel
        total += _tables(steps, step) * table
    return total


def _weights(steps: Steps, step: Step) -> int:
    """How many weights a step has."""
    out = map_shape(steps.tensors[step.output])[2]
    if step.kernel == "dense":
        return out * steps.bytes(step.inputs[0])
    rows, columns = step.attributes["k"]
    inner = map_shape(steps.tensors[step.inputs[0]])[2] // step.attributes.get("groups", 1)
    return int(out * rows * columns * (1 if step.kernel == "depthwise" else inner))


def _tables(steps: Steps, step: Step) -> int:
    """How many tables of all int8 numbers a step has: for an activation, or to bring the inputs of a concat to one scale."""
    if step.kernel == "concat":
        return sum(_quant(steps, name) != _quant(steps, step.output) for name in step.inputs)
    return int(step.kernel == "table" or (step.activation is not None and step.activation[0] != "relu"))


def _quant(steps: Steps, name: str) -> str:
    return steps.quants.get(name, name)


def _code(steps: Steps, streams: bool, heads: Sequence[Head], target: Target) -> Estimate:
    """Bytes of the kernels, a call of each layer, and the post-processing with its tables."""
    facts = target.root.find(CODE)
    kernels = {step.kernel for step in steps.steps}
    weighted = sum(step.kernel in WEIGHTED for step in steps.steps)
    counts: Mapping[str, int] = {
        "fixed": 1,
        "layer": weighted,
        "move": len(steps.steps) - weighted,
        "multiply": int(not kernels.isdisjoint(MULTIPLYING)),
        "stream": int(streams),
        **dict.fromkeys(kernels, 1),
        **_head(steps, heads),
    }
    return Estimate(sum(number(facts, name) * count for name, count in counts.items()), number(facts, "error"))


def _head(steps: Steps, heads: Sequence[Head]) -> dict[str, int]:
    """The first head is the one that is decoded on the device."""
    if not heads:
        return {}
    head = heads[0]
    if head.kind == CLASSIFIER:
        return {"classifier": 1}
    return {"detector": 1, "map": map_count(head.kind, sum(len(steps.outputs.get(name, ())) for name in head.on))}

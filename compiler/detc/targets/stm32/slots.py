"""The schedule of a net: which steps run one after another, and which run together."""

from __future__ import annotations

from dataclasses import dataclass

from detc.targets.stm32 import scratch
from detc.targets.stm32.overlap import distance
from detc.targets.stm32.steps import Step, Steps, map_shape


@dataclass(frozen=True, slots=True)
class Slot:
    """One turn of the schedule: a step alone, or several that take turns row by row (`stream.py`).

    `reads` are the storages that it reads, `output` the one that it writes. `windows` are the bytes of rows that live only here,
    by tensor; `scratch` those of its kernels. `distances` say by how many bytes the output begins below an input that dies here.
    """

    steps: tuple[Step, ...]
    reads: tuple[str, ...]
    output: str
    scratch: int
    distances: tuple[tuple[str, int], ...]
    windows: tuple[tuple[str, int], ...] = ()


def slot_of(steps: Steps, step: Step) -> Slot:
    """A step that runs alone."""
    reads = steps.reads(step)
    found = ((name, distance(steps, step, name)) for name in reads)
    distances = tuple((name, apart) for name, apart in found if apart is not None)
    return Slot((step,), reads, step.output, scratch_bytes(steps, step), distances)


def scratch_bytes(steps: Steps, step: Step) -> int:
    """Bytes that the step's kernel overwrites beside its output."""
    of = step.attributes
    channels = map_shape(steps.tensors[step.inputs[0]])[2]
    if step.kernel == "conv":
        top, left, bottom, right = of["pad"]
        return scratch.conv((of["k"][0], of["k"][1]), channels, of["groups"], (top, left, bottom, right))
    if step.kernel == "depthwise":
        return scratch.depthwise((of["k"][0], of["k"][1]), channels)
    return scratch.dense(steps.bytes(step.inputs[0])) if step.kernel == "dense" else 0

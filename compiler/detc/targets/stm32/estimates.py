"""What a net costs besides activations and weights: the tool's own RAM, its code, and the time of a picture. Estimates, each with
its error; the numbers stand in target.det (`tool`) and in the cores' files (`cycles`)."""

from __future__ import annotations

from dataclasses import dataclass

from detc.semantics.program import Target
from detc.targets.stm32.facts import number
from detc.targets.stm32.st_ops import StModel, StOp, prepare
from detc.targets.stm32.st_rules import StRules

CYCLES = ("dense", "separable", "inverted")
"""Kinds of layers that cores take their time for, as named in `cycles { .. }`."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """`value` and the share by which it may be wrong either way."""

    value: float
    error: float


def layer_count(model: StModel) -> int:
    """Layers as ST's tool counts them: operators that are left when all is merged, and the conversion of the picture."""
    return len(prepare(model).model.ops) + len(model.inputs)


def runtime_ram(layers: int, rules: StRules) -> Estimate:
    """Bytes of RAM that the tool's runtime takes for its own."""
    return Estimate(max(rules.runtime_layer * layers - rules.runtime_free, 0), rules.runtime_error)


def code_flash(layers: int, rules: StRules) -> Estimate:
    """Bytes of kernels, their tables and the code that calls them."""
    return Estimate(rules.code_fixed + rules.code_layer * layers, rules.code_error)


def latency(model: StModel, target: Target) -> Estimate | None:
    """Seconds of a picture on the core: multiplications times cycles by kind of layer; None where the target has no `cycles`."""
    core, cycles = target.root.find("core"), target.root.find("cycles")
    if core is None or cycles is None or "clock" not in core.facts:
        return None
    taken = sum(macs * number(cycles, kind) for kind, macs in multiplications(model).items())
    return Estimate(taken / number(core, "clock"), number(cycles, "error"))


def multiplications(model: StModel) -> dict[str, int]:
    """Multiply-accumulates by kind of layer.

    A depthwise conv and the 1x1 conv behind it are `separable`; where a 1x1 conv widens the map before it and that behind it
    narrows it again, all three are `inverted` (residual). Everything else is `dense`.
    """
    ready = prepare(model).model
    makers = {name: op for op in ready.ops for name in op.outputs}
    readers = ready.readers()
    kinds: dict[str, str] = {}
    for op in ready.ops:
        if op.kind != "depthwise":
            continue
        before = makers.get(op.inputs[0])
        behind = [user for user in readers.get(op.outputs[0], ()) if user.pointwise]
        around = [op, *behind]
        inverted = before is not None and before.pointwise and _growth(before, ready) > 1
        if before is not None and inverted and any(_growth(user, ready) < 1 for user in behind):
            kinds |= {one.name: "inverted" for one in (before, *around)}
        else:
            kinds |= {one.name: "separable" for one in around if one.name not in kinds}
    found = dict.fromkeys(CYCLES, 0)
    for op in ready.ops:
        found[kinds.get(op.name, "dense")] += macs_of(op, ready)
    return found


def _growth(op: StOp, model: StModel) -> float:
    """Channels given over channels read."""
    return model.tensors[op.outputs[0]].channels / model.tensors[op.inputs[0]].channels


def macs_of(op: StOp, model: StModel) -> int:
    """Multiply-accumulates of an operator. A pool that became part of it has shrunk what it gives, not what it computes."""
    if op.kind not in ("conv", "depthwise", "transposed", "dense") or not op.inputs:
        return 0
    read, given = model.tensors[op.inputs[0]], model.tensors[op.outputs[0]]
    if op.kind == "dense":
        return read.channels * given.elements
    if op.kind == "transposed":
        return read.elements * op.kernel[0] * op.kernel[1] * given.channels
    elements = op.computed or given.elements
    return elements * op.kernel[0] * op.kernel[1] * read.channels // op.groups

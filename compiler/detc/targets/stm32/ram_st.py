"""`ram_st`: the activation RAM that ST's tool would need. A maximum over operators, not an allocation.

The rules were read from offset maps in generated network.c files and fitted to the figures of ST's model zoo; the numbers stand
in target.det, section `tool`, with their sources. All sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from detc.targets.stm32.st_ops import Prepared, StModel, StOp, StTensor, prepare
from detc.targets.stm32.st_rules import StRules


@dataclass(frozen=True, slots=True)
class Need:
    """What one operator needs while it runs: `alive` are tensors that wait beside it, `combined` its own inputs and output as
    far as they overlap, `scratch` its working memory."""

    op: StOp
    alive: tuple[StTensor, ...]
    combined: int
    scratch: int

    @property
    def bytes(self) -> int:
        return sum(tensor.bytes for tensor in self.alive) + self.combined + self.scratch


@dataclass(frozen=True, slots=True)
class StRam:
    """The estimate: `bytes` is the peak over `needs` and what constant outputs and the tool itself take (`fixed`); `peak` is None
    where nothing is computed."""

    needs: tuple[Need, ...]
    constant_outputs: int
    fixed: int

    @property
    def peak(self) -> Need | None:
        return max(self.needs, key=lambda need: need.bytes, default=None)

    @property
    def bytes(self) -> int:
        return (self.peak.bytes if self.peak else 0) + self.constant_outputs + self.fixed


def estimate(model: StModel, rules: StRules) -> StRam:
    """The activation RAM of `model` under `rules`, inputs and outputs in the pool, operator by operator."""
    ready = prepare(model)
    constant = sum(model.tensors[name].elements * rules.output_bytes for name in ready.constant_outputs)
    return StRam(tuple(_needs(ready, rules)), round(constant * rules.constant_output), rules.fixed)


def _needs(ready: Prepared, rules: StRules) -> Iterator[Need]:
    """Step 4 and 5: a tensor lives from its producer to its last reader, outputs to the end."""
    tensors, ops = ready.model.tensors, ready.model.ops
    last = {name: step for step, op in enumerate(ops) for name in (*op.outputs, *op.inputs)}
    last.update(dict.fromkeys(ready.model.outputs, len(ops)))
    live = dict.fromkeys(name for name in ready.model.inputs if name in last)
    for step, op in enumerate(ops):
        own = {*op.inputs, *op.outputs}
        alive = tuple(tensors[name] for name in live if name not in own)
        dying = frozenset(name for name in op.inputs if last[name] == step)
        yield Need(op, alive, combined(op, tensors, dying, rules), scratch(op, tensors, rules))
        live.update(dict.fromkeys(op.outputs))
        for name in own:
            if last[name] <= step:
                live.pop(name, None)


def combined(op: StOp, tensors: dict[str, StTensor], dying: frozenset[str], rules: StRules) -> int:
    """Bytes of an operator's inputs and outputs, as far as they overlap; `dying` are inputs that nothing reads later."""
    inputs = [tensors[name] for name in dict.fromkeys(op.inputs)]
    out = sum(tensors[name].bytes for name in op.outputs)
    if not inputs:
        return out
    first, rest = inputs[0], sum(tensor.bytes for tensor in inputs[1:])
    target = tensors[op.outputs[0]]
    row = target.width * target.channels * target.element
    dies = first.name in dying
    if op.kind in ("elementwise", "activation"):
        together = first.bytes + rest
        in_place = rules.in_place_add and any(tensors[name].bytes >= out for name in dying)
        return together if in_place else together + out
    if op.kind in ("conv", "depthwise"):
        return rest + _window(op, first, out, row, dies, rules)
    if op.kind in ("dequantize", "softmax"):
        return rest + (max(first.bytes, out) if dies else first.bytes + out)
    if op.kind == "pad":
        return rest + (out if dies else first.bytes + out)
    if op.kind == "pool":
        return rest + first.bytes + (min(row, out) if dies else out)
    return rest + first.bytes + out


def _window(op: StOp, first: StTensor, out: int, row: int, dies: bool, rules: StRules) -> int:
    """A convolution's input and output. A padded copy stands in for the input where the tool makes one."""
    apart = first.bytes + out
    if op.pointwise:
        overlaps = out <= rules.pointwise_ratio * first.bytes
        return max(first.bytes, out) + row if dies and overlaps else apart
    if op.kind == "conv" and first.channels <= rules.narrow_channels and not op.padded:
        return max(first.bytes, out + row + first.channels) if dies and rules.narrow_overlap else apart
    depthwise = op.kind == "depthwise"
    copies = rules.depthwise_copy if depthwise else rules.conv_copy
    if op.padded and copies:
        before, rows = op.padded, rules.explicit_rows
    elif op.padding != (0, 0) and copies:
        height, width = first.height + op.padding[0], first.width + op.padding[1]
        before, rows = height * width * first.channels * first.element, rules.same_rows
    else:
        before, rows = first.bytes, rules.explicit_rows
    if depthwise and not rules.depthwise_overlap:
        return before + out + (0 if dies or before == first.bytes else first.bytes)
    pixels = rules.depthwise_pixels * first.channels if depthwise else 0
    together = min(max(before, out) + rows * row + pixels, before + out)
    return together if dies else first.bytes + together


def scratch(op: StOp, tensors: dict[str, StTensor], rules: StRules) -> int:
    """Working memory of an operator."""
    if not op.inputs or op.kind not in ("conv", "depthwise", "dense", "softmax"):
        return 0
    read, written = tensors[op.inputs[0]], tensors[op.outputs[0]]
    if op.kind == "softmax":
        return rules.softmax
    if op.kind == "dense":
        return rules.dense_in * read.elements + rules.dense_out * written.elements
    if op.kind == "depthwise":
        taps = rules.depthwise_tap * op.kernel[0] * op.kernel[1] + rules.depthwise_channel
        return taps * read.channels + rules.depthwise_fixed
    pooled = op.pool[0] * op.pool_width * written.channels if op.pool else 0
    if op.pointwise:
        return rules.pointwise_in * read.channels + rules.pointwise_out * written.channels + pooled
    taps = op.kernel[0] * op.kernel[1] * read.channels // op.groups
    pairs = min(rules.conv_pair * taps * written.channels, rules.conv_most)
    return rules.conv_tap * taps + rules.conv_channel * written.channels + pairs + pooled

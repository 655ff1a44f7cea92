"""A plan run on torch tensors: the steps in their order, whatever their arithmetic is.

Maps are [n, channels, height, width] and vectors [n, features] in memory order, so that an alias is the same memory in another
shape. Steps that only move numbers are the same in every arithmetic in which 0.0 is the number 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from detrt.devices.stm32.kernels import bilinear_taps
from detrt.devices.stm32.plan import Plan, PlanStep
from detrt.errors import DetrtError

See = Callable[[str, Tensor], None]
"""Called with each tensor and its name as soon as it is made, the input first."""


class Arithmetic(Protocol):
    """What the numbers of the tensors are."""

    def enter(self, frame: Tensor) -> Tensor:
        """The net's input from a batch as the data encodes it, float32 [n, channels, height, width]."""

    def computed(self, step: PlanStep, inputs: Sequence[Tensor], see: See | None) -> Tensor:
        """The output of a step that computes; of a concat as well. `see` is shown what comes before a table."""

    def interpolated(self, step: PlanStep, sums: Tensor, whole: int) -> Tensor:
        """The output of a bilinear resize from sums of neighbours whose shares add up to `whole`."""

    def lowest(self, step: PlanStep) -> float:
        """What pads a max_pool: no number of its input is less."""


def run_plan(plan: Plan, arithmetic: Arithmetic, frame: Tensor, see: See | None = None) -> dict[str, Tensor]:
    """Every output of the model by name of its tensor. Tensors that no later step reads are let go.

    DetrtError for a batch of another size than the planned one: the plan's padding is that of its size.
    """
    height, width, channels = plan.tensors[plan.input].shape
    if frame.dim() != 4 or frame.shape[1:] != (channels, height, width):
        raise DetrtError(
            f"a batch of {list(frame.shape)} enters a net that was planned for [n, {channels}, {height}, {width}]",
            remedy="leave `multiscale` out of quantised stages",
        )
    last = {plan.source(name): number for number, step in enumerate(plan.steps) for name in step.inputs}
    kept = {plan.source(name) for given in plan.outputs.values() for name in given}
    made = {plan.input: arithmetic.enter(frame)}
    if see is not None:
        see(plan.input, made[plan.input])
    for number, step in enumerate(plan.steps):
        inputs = [_read(plan, made, name) for name in step.inputs]
        made[step.output] = _output(plan, arithmetic, step, inputs, see)
        if see is not None:
            see(step.output, made[step.output])
        for name in {plan.source(name) for name in step.inputs}:
            if last[name] == number and name not in kept:
                del made[name]
    return {name: _read(plan, made, name) for given in plan.outputs.values() for name in given}


def in_memory(x: Tensor) -> Tensor:
    """[n, height, width, channels] of a map; a vector as it is."""
    return x.permute(0, 2, 3, 1) if x.dim() == 4 else x


def from_memory(x: Tensor, shape: Sequence[int]) -> Tensor:
    """The tensor of `shape` ([height, width, channels] or [features]) whose memory is x [n, ..]."""
    if len(shape) == 3:
        return x.reshape(len(x), *shape).permute(0, 3, 1, 2)
    return x.reshape(len(x), -1)


def _read(plan: Plan, made: dict[str, Tensor], name: str) -> Tensor:
    if name not in plan.aliases:
        return made[name]
    return from_memory(in_memory(made[plan.source(name)]), plan.tensors[name].shape)


def _output(
    plan: Plan, arithmetic: Arithmetic, step: PlanStep, inputs: Sequence[Tensor], see: See | None
) -> Tensor:  # fmt: skip
    x = inputs[0]
    top, left, bottom, right = step.pad
    match step.kernel:
        case "max_pool":
            padded = F.pad(x, (left, right, top, bottom), value=arithmetic.lowest(step)) if any(step.pad) else x
            return F.max_pool2d(padded, step.k, step.stride)
        case "resize" if step.bilinear:
            return arithmetic.interpolated(step, _neighbours(x, step), 4 * step.factor[0] * step.factor[1])
        case "resize":
            return x.repeat_interleave(step.factor[0], 2).repeat_interleave(step.factor[1], 3)
        case "channels":
            return x[:, step.first : step.first + (step.count - 1) * step.every + 1 : step.every]
        case "shuffle":
            n, channels, height, width = x.shape
            return x.reshape(n, step.groups, -1, height, width).transpose(1, 2).reshape(n, channels, height, width)
        case "space_to_depth":
            return torch.cat([x[:, :, row :: step.block, column :: step.block] for row, column in step.order], 1)
        case "pad":
            return F.pad(x, (left, right, top, bottom))
        case "reorder":
            moved = in_memory(x).permute(0, *(axis + 1 for axis in step.axes))
            return from_memory(moved, plan.tensors[step.output].shape)
    return arithmetic.computed(step, inputs, see)


def _neighbours(x: Tensor, step: PlanStep) -> Tensor:
    """For each place of the enlarged map the sum of its neighbours, each times its whole share; see `kernels.bilinear`."""
    for axis, factor in ((2, step.factor[0]), (3, step.factor[1])):
        first, second, share = (torch.from_numpy(t).to(x.device) for t in bilinear_taps(x.shape[axis], factor))
        shares = share.to(x.dtype).view(-1, *[1] * (3 - axis))
        x = x.index_select(axis, first) * (2 * factor - shares) + x.index_select(axis, second) * shares
    return x


def windowed_sums(x: Tensor, step: PlanStep) -> Tensor:
    """The sums over the windows of an average_pool, what pads being 0."""
    top, left, bottom, right = step.pad
    padded = F.pad(x, (left, right, top, bottom)) if any(step.pad) else x
    return F.avg_pool2d(padded, step.k, step.stride, divisor_override=1)


def structured(plan: Plan, made: dict[str, Tensor]) -> Tensor | dict[str, Tensor | list[Tensor]]:
    """Outputs in the form in which the generated model gives them: a tensor, or tensors and lists of them by name."""
    found: dict[str, Tensor | list[Tensor]] = {}
    for name, given in plan.outputs.items():
        found[name] = made[given[0]] if len(given) == 1 else [made[tensor] for tensor in given]
    single = next(iter(found.values()))
    return single if len(found) == 1 and isinstance(single, Tensor) else found

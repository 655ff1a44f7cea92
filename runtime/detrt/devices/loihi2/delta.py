"""What is rounded in a sigma-delta net, and its delta neurons, with the gradients that lava-dl gives them.

Numbers of lava-dl 0.6.0, slayer/neuron (quantize_8bit), slayer/utils/quantize and slayer/axon/delta. Time is the first axis.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

WEIGHT_GRID = 32
"""Weights, means and frames are whole multiples of 1/32, which is an even number of 1/64."""
WEIGHT_RANGE = (-4.0, 254 / 64)
THRESHOLD_GRID = 64
MESSAGE_GRID = 4096
"""A message is a whole multiple of 1/4096."""


class _Rounded(torch.autograd.Function):
    """The nearest multiple of 1 / grid, ties to the even one; the gradient passes as if nothing were rounded."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, grid: int) -> Tensor:
        return torch.round(value * grid) / grid

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


def q8(value: Tensor) -> Tensor:
    """`value` in the steps and the range of 8 bit weights; what lies beyond is held at the ends and gets no gradient."""
    rounded: Tensor = _Rounded.apply(value, WEIGHT_GRID)  # type: ignore[no-untyped-call]
    return rounded.clamp(*WEIGHT_RANGE)


def stored(threshold: Tensor) -> Tensor:
    """A threshold as the device holds it: rounded down to a multiple of 1/64."""
    return torch.floor(threshold * THRESHOLD_GRID) / THRESHOLD_GRID


class _Delta(torch.autograd.Function):
    """See `delta`. Backward: a message is the change of its value, so its gradient goes to the value and, negated, to the value
    before. The threshold has none of its own; it is given that of lava-dl, in which `tau` and `scale` shape a peak over the
    changes that only just sent something.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor, threshold: Tensor, tau: float, scale: float) -> Tensor:
        sent = torch.empty_like(value)
        learns = ctx.needs_input_grad[1]
        changes = torch.empty_like(value) if learns else None
        residue, nothing = torch.zeros_like(value[0]), value.new_zeros(())
        for t in range(len(value)):
            change = value[t] - value[t - 1] if t else value[t].clone()
            change += residue
            if changes is not None:
                changes[t] = change
            torch.where(change.abs() >= threshold, change, nothing, out=sent[t])
            residue = change - sent[t]
        if learns:
            ctx.save_for_backward(changes, threshold)
            ctx.peak = tau, scale
        return sent.mul_(MESSAGE_GRID).floor_().div_(MESSAGE_GRID)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        sent = grads[0]
        value = sent.clone(memory_format=torch.contiguous_format)
        value[:-1] -= sent[1:]
        if not ctx.needs_input_grad[1]:
            return value, None, None, None
        changes, threshold = ctx.saved_tensors
        tau, scale = ctx.peak
        beyond = changes.abs() - threshold
        peak = -changes * (scale * torch.exp(-beyond.abs() / tau)) / threshold
        each = torch.where(beyond > 0, peak, -changes.sign()) * sent
        # Of many terms of either sign little may be left.
        return value, each.double().sum_to_size(threshold.shape).to(each.dtype), None, None


def delta(value: Tensor, threshold: Tensor, tau: float = 1.0, scale: float = 1.0) -> Tensor:
    """What neurons send of `value` [T, N, ..], which begins at 0: its change with what was held back before, where that reaches
    `threshold` (one number, or one a channel in a shape that broadcasts), rounded down to 1/4096; else 0.

    What is held back is reckoned before the rounding, so that what is rounded off never arrives. In place nowhere.
    """
    result: Tensor = _Delta.apply(value, threshold, tau, scale)  # type: ignore[no-untyped-call]
    return result

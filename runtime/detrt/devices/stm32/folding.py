"""Weights and biases as whole numbers: batch norm folded in, one scale an output channel.

Everything is torch in float64, element by element, so that a quantised training stage (on any device) and the program made from
its weights have the same whole numbers. The values before rounding keep their gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from detrt.devices.stm32.arithmetic import LOW
from detrt.devices.stm32.entry import Entry
from detrt.devices.stm32.plan import PlanStep

LARGEST = 127
"""Weights are symmetric: -127 .. 127, but for the -128 that another tool's may have."""
BIAS_BITS = 28
"""No bias takes more of its 32 bits: where weights are tiny beside it, their scale grows instead."""


FAINTEST = 1e-30
"""Scales below are taken for zero, well before float32 loses bits."""


NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True, slots=True)
class Norm:
    """A batch norm at rest: y = (x - mean) / sqrt(variance + eps) * weight + bias, each [out]."""

    weight: Tensor
    bias: Tensor
    mean: Tensor
    variance: Tensor
    eps: float


@dataclass(frozen=True, slots=True)
class Grid:
    """A layer in steps of its grid, float64. `weight` [out, ..] and `bias` [out] before rounding, `whole_weight` and `whole_bias`
    behind it; `scales` [out] are the real numbers that one step of the weights stands for.
    """

    weight: Tensor
    bias: Tensor
    whole_weight: Tensor
    whole_bias: Tensor
    scales: Tensor


def fused(weight: Tensor, bias: Tensor | None, norm: Norm | None) -> tuple[Tensor, Tensor]:
    """Weight [out, ..] and bias [out] in float64 of a layer with the batch norm behind it."""
    wide = weight.double()
    shift = torch.zeros(len(weight), dtype=torch.float64, device=weight.device) if bias is None else bias.double()
    if norm is None:
        return wide, shift
    gain = norm.weight.double() / torch.sqrt(norm.variance.double() + norm.eps)
    return wide * gain.view(-1, *[1] * (weight.dim() - 1)), (shift - norm.mean.double()) * gain + norm.bias.double()


def normed(direction: Tensor, length: Tensor) -> Tensor:
    """Weights of a weight-normed convolution, float64: length * direction / |direction| an output channel.

    |direction| is rounded once from its exact sum, so that no order of summation shows.
    """
    with torch.no_grad():
        rows = direction.double().square().flatten(1).tolist()
        sizes = torch.tensor([math.sqrt(math.fsum(row)) for row in rows], dtype=torch.float64, device=direction.device)
    return direction.double() * (length.double() / sizes.view(-1, *[1] * (direction.dim() - 1)))


def layer_numbers(step: PlanStep, state: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Weight and bias, float64, of a conv, depthwise or dense step from the model's tensors by key; its batch norm folded in.

    ValueError names a key that is missing.
    """

    def tensor(key: str) -> Tensor:
        if key not in state:
            raise ValueError(f"there is no `{key}` among the weights")
        return state[key]

    module = step.module
    weight = tensor(f"{module}.weight") if not step.weight_norm else normed(
        tensor(f"{module}.weight_v"), tensor(f"{module}.weight_g")
    )  # fmt: skip
    return fused(weight, state.get(f"{module}.bias"), _norm(step, tensor))


def _norm(step: PlanStep, tensor: Callable[[str], Tensor]) -> Norm | None:
    if not step.norm:
        return None
    gain, shift, mean, variance = (tensor(f"{step.norm}.{part}") for part in NORM_PARTS)
    return Norm(gain, shift, mean, variance, step.eps)


def layer_scales(step: PlanStep, state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Tensor | None:
    """[out] in float64: what one step of the step's weights stands for behind its batch norm, where `own` says it of those
    before, by their key."""
    key = f"{step.module}.weight"
    return fused(own[key], None, _norm(step, state.__getitem__))[0].abs() if key in own else None


def memory_order(weight: Tensor, step: PlanStep) -> Tensor:
    """The columns of a linear layer [out, in] in the order in which its input lies in memory; others as they are."""
    if step.reorder is None:
        return weight
    return weight.reshape(len(weight), *step.reorder).permute(0, 2, 3, 1).reshape(len(weight), -1)


def nearest(values: Tensor) -> Tensor:
    """The nearest whole numbers, halves up."""
    return torch.floor(values + 0.5)


def on_grid(
    weight: Tensor,
    bias: Tensor,
    scale_in: float,
    entry: Entry | None = None,
    groups: int = 1,
    own: Tensor | None = None,
) -> Grid:
    """Whole numbers of `weight` [out, in / groups, ..] and `bias` [out], both float64, behind an input of scale `scale_in`.

    The scale of a channel is max |w| / 127 as a float32 number, larger only where its bias would not fit. A channel of zeros
    (scales below 1e-30) has the largest scale of the others, or 1.
    `own` [out] are scales by which the weights were whole numbers before: a channel keeps its own where weights and bias fit.
    A bias counts in steps of scale_in * scale. `entry`: the input's bytes are to be read by it, and weights and bias absorb it.
    """
    if entry is not None:
        weight = weight * _spread(entry.gains, weight, groups).view(*weight.shape[:2], *[1] * (weight.dim() - 2))
    with torch.no_grad():
        largest = weight.abs().flatten(1).amax(1)
        room = bias.abs() / (scale_in * 2.0**BIAS_BITS)
        scales = torch.maximum(largest / LARGEST, room).float().double()
        common = torch.where(scales.max() > FAINTEST, scales.max(), 1.0)
        scales = torch.where(scales > FAINTEST, scales, common)
        if own is not None and (entry is None or set(entry.gains) == {1.0}):
            scales = torch.where(_fits(weight, own) & (own >= room), own, scales)
    steps = weight / scales.view(-1, *[1] * (weight.dim() - 1))
    whole = nearest(steps.detach()).clamp(LOW, LARGEST)
    shift = bias / (scale_in * scales)
    if entry is not None:
        shift = shift + _rest(whole, _spread(entry.rests, weight, groups))
    return Grid(steps, shift, whole, nearest(shift.detach()), scales)


def _fits(weight: Tensor, scales: Tensor) -> Tensor:
    """[out]: whether a channel's weights are int8 numbers in steps of its scale."""
    usable = scales > FAINTEST
    whole = nearest(weight.flatten(1) / torch.where(usable, scales, 1.0).unsqueeze(1))
    return usable & (whole.amin(1) >= LOW) & (whole.amax(1) <= LARGEST)


def _spread(values: tuple[float, ...], weight: Tensor, groups: int) -> Tensor:
    """[out, in / groups]: a number of each input channel for every output channel that reads it."""
    rows = torch.tensor(values, dtype=torch.float64, device=weight.device).view(groups, -1)
    return rows.repeat_interleave(len(weight) // groups, 0)


def _rest(whole: Tensor, rests: Tensor) -> Tensor:
    """[out]: what the whole weights make of the rests, summed in the order of the channels."""
    taps = whole.flatten(2).sum(2)  # whole numbers: exact in any order
    total = torch.zeros_like(taps[:, 0])
    for channel in range(taps.shape[1]):
        total = total + taps[:, channel] * rests[:, channel]
    return total

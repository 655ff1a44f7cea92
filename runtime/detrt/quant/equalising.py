"""Cross-layer equalisation: channels between two layers are scaled so that both layers have weights of like ranges.

Nagel, van Baalen, Blankevoort, Welling, Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019,
section 4.1. Where a function f between the layers has f(s x) = s f(x) for s > 0 (none, ReLU, leaky ReLU, pooling), layer one
may give 1 / s of channel i and layer two take s times of it: the net computes what it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDS = 20
"""Sweeps over all pairs at most; a pair is even after one, and its neighbours move it a little."""
ENOUGH = 1e-3
"""The sweeps end when no channel is scaled by more than 1 + ENOUGH."""
LARGEST = 1e4
"""No channel is scaled further than by this, either way, in one sweep: a dead channel would run away."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution or linear layer, changed in place.

    `weight` [out, in / groups, ..]. `rows` are the tensors that scale its output, their first axis the output channels: weight
    and bias, or `gain` and shift of the batch norm behind it, whose standard `deviation` [out] stays.
    """

    weight: Tensor
    rows: tuple[Tensor, ...]
    groups: int = 1
    gain: Tensor | None = None
    deviation: Tensor | None = None

    def effective(self) -> Tensor:
        """The weight with the batch norm folded in, [out, in / groups, ..]."""
        if self.gain is None or self.deviation is None:
            return self.weight
        return self.weight * (self.gain / self.deviation).view(-1, *[1] * (self.weight.dim() - 1))

    def of_outputs(self) -> Tensor:
        """[out]: the largest weight of each output channel."""
        return self.effective().abs().flatten(1).amax(1)

    def of_inputs(self) -> Tensor:
        """[in]: the largest weight that reads each input channel."""
        weight = self.effective().abs()
        grouped = weight.reshape(self.groups, -1, *weight.shape[1:])
        return grouped.transpose(1, 2).flatten(2).amax(2).reshape(-1)

    def scale_outputs(self, factors: Tensor) -> None:
        for tensor in self.rows:
            tensor.mul_(factors.view(-1, *[1] * (tensor.dim() - 1)).to(tensor))

    def scale_inputs(self, factors: Tensor) -> None:
        shares = factors.view(self.groups, 1, -1).expand(-1, len(self.weight) // self.groups, -1)
        self.weight.mul_(shares.reshape(len(self.weight), -1, *[1] * (self.weight.dim() - 2)).to(self.weight))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two layers; the second alone reads what the first gives, channel by channel."""

    first: Layer
    second: Layer


@torch.no_grad()
def equalise(pairs: Sequence[Pair]) -> None:
    """Scales all pairs in place, s_i = sqrt(r1_i * r2_i) / r2_i for the ranges r1, r2 of channel i (equation 11), sweep by sweep.

    A channel that one of the two layers does not use stays.
    """
    for _ in range(ROUNDS):
        moved = 1.0
        for pair in pairs:
            first, second = pair.first.of_outputs().double(), pair.second.of_inputs().double()
            used = (first > 0) & (second > 0)
            factors = torch.where(used, (first / second).sqrt(), 1.0).clamp(1 / LARGEST, LARGEST)
            factors = torch.where(used, factors, 1.0)
            pair.first.scale_outputs(1 / factors)
            pair.second.scale_inputs(factors)
            moved = max(moved, float(torch.maximum(factors, 1 / factors).max()))
        if moved <= 1 + ENOUGH:
            break

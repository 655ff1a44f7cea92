"""Bias correction: what rounding a layer's weights adds to its output on average, to be taken out of its bias.

Nagel et al., ICCV 2019, section 4.2: with weights W + e the output is W x + e x, whose mean is off by e E[x]. E[x] is measured
here, on calibration pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Means:
    """Mean of each channel over all pictures and places, of tensors by name, while batches pass by."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._seen: dict[str, int] = {}

    def look(self, name: str, values: Tensor) -> None:
        """`values` [n, channels, ..]."""
        wide = values.detach().double()
        total = wide.transpose(0, 1).flatten(1).sum(1).cpu()
        self._sums[name] = self._sums[name] + total if name in self._sums else total
        self._seen[name] = self._seen.get(name, 0) + wide.numel() // wide.shape[1]

    def of(self, name: str) -> Tensor:
        """[channels], float64. KeyError where nothing was seen."""
        return self._sums[name] / self._seen[name]


def corrections(weight: Tensor, rounded: Tensor, means: Tensor, groups: int = 1) -> Tensor:
    """[out]: what to subtract from the bias of a layer with `weight` [out, in / groups, ..], computed with `rounded`, whose input
    has the channel means [in].
    """
    errors = (
        (rounded.double() - weight.double()).flatten(2).sum(2)
        if weight.dim() > 2
        else rounded.double() - weight.double()
    )
    rows = means.double().to(weight.device).view(groups, -1).repeat_interleave(len(weight) // groups, 0)
    return torch.sum(errors * rows, 1)

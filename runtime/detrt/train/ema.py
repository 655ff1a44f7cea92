"""An exponential moving average of the weights: what is validated, chosen and kept instead of the last step's noise."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Ema:
    """Averages of every parameter; buffers are copied as they are.

    The decay of step n is min(decay, (1 + n) / (10 + n)), so that the first steps do not remember the initial weights for long;
    with `warmup` steps it is decay * (1 - exp(-n / warmup)), as in YOLOX@6ddff48 (yolox/utils/ema.py, there 2000).
    """

    def __init__(self, model: nn.Module, decay: float, warmup: int | None = None) -> None:
        self.decay = decay
        self.warmup = warmup
        self.steps = 0
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self._averages: list[Tensor] = list(self.model.parameters())
        self._parameters: list[Tensor] = list(model.parameters())
        self._buffers = list(zip(self.model.buffers(), model.buffers(), strict=True))

    @torch.no_grad()
    def update(self) -> None:
        """Moves the averages towards the model's weights after one optimiser step."""
        self.steps += 1
        if self.warmup is None:
            decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        else:
            decay = self.decay * (1 - math.exp(-self.steps / self.warmup))
        torch._foreach_lerp_(self._averages, self._parameters, 1 - decay)
        for average, buffer in self._buffers:
            average.copy_(buffer)

    def state_dict(self) -> dict[str, Tensor]:
        return self.model.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor], steps: int) -> None:
        self.model.load_state_dict(state)
        self.steps = steps

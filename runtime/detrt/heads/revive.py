"""Lets gradients push outputs back that a head's ReLU holds at 0, where a plain ReLU would leave them dead for good."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


class _Push(torch.autograd.Function):
    """Zero forward; backward hands on the gradient, times `weight`, where the input is at or below 0 and descent
    would raise it.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: float) -> Tensor:
        ctx.save_for_backward(inputs <= 0)
        ctx.weight = weight
        return torch.zeros_like(inputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (held,) = ctx.saved_tensors
        return torch.where(held, grads[0].clamp_max(0) * ctx.weight, 0), None


def revive(activation: nn.Module, weight: float) -> RemovableHandle:
    """Hooks the ReLU behind which the head reads; its values stay as they are. `weight` is the loss option `dead`,
    1 for a full push.

    Only while gradients are recorded; remove the hook with the handle.
    """

    def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return output
        push: Tensor = _Push.apply(inputs[0], weight)  # type: ignore[no-untyped-call]
        return output + push

    return activation.register_forward_hook(hook)

"""The optimiser of a stage, in torch's fused form, and the weight decay that is part of the loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from detrt import lock


def make_optimizer(options: lock.Optimizer, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    """SGD, Adam or AdamW over `parameters`; with `l2 = loss` the decay is left to `add_l2_gradient`."""
    decay = 0.0 if options.l2 == "loss" else options.weight_decay
    if options.name == "sgd":
        return torch.optim.SGD(parameters, lr=options.lr, momentum=options.momentum, weight_decay=decay, fused=True)
    kind = torch.optim.AdamW if options.name == "adamw" else torch.optim.Adam
    return kind(parameters, lr=options.lr, betas=options.betas, weight_decay=decay, fused=True)


@torch.no_grad()
def add_l2_gradient(parameters: Sequence[nn.Parameter], decay: float) -> None:
    """Adds the gradient of `decay * sum(w ** 2)`, the explicit term of the vendor's loss, as backward of that term would.

    Written out because autograd through a sum over every weight costs a kernel a parameter in each direction.
    """
    pairs = [(parameter.grad, parameter.data) for parameter in parameters if parameter.grad is not None]
    torch._foreach_add_([gradient for gradient, _ in pairs], [weight for _, weight in pairs], alpha=2 * decay)


@torch.no_grad()
def l2_term(parameters: Sequence[nn.Parameter], decay: float) -> Tensor:
    """`decay * sum(w ** 2)`, for the record."""
    return decay * torch.stack(torch._foreach_norm(list(parameters))).square().sum()

"""The optimiser of a stage, in torch's fused form, its rates by part, and the weight decay that is part of the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from detrt import lock
from detrt.train.network import below


def make_optimizer(
    options: lock.Optimizer, named: Mapping[str, nn.Parameter], rates: Mapping[str, float] | None = None
) -> torch.optim.Optimizer:
    """SGD, Adam or AdamW over the parameters `named`; with `l2 = loss` the decay is left to `add_l2_gradient`.

    `rates` are those of parts of the model, by prefix; the longest prefix of a name counts. Each group of parameters keeps
    its own rate as `base`, for `set_rates`.
    """
    decay = 0.0 if options.l2 == "loss" else options.weight_decay
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in named.items():
        key = (_rate_of(name, options.lr, rates or {}), decay if is_decayed(parameter, options) else 0.0)
        groups.setdefault(key, []).append(parameter)
    made: list[dict[str, Any]] = [
        {"params": parameters, "lr": rate, "base": rate, "weight_decay": shrink}
        for (rate, shrink), parameters in groups.items()
    ]
    if options.name == "sgd":
        made_sgd = torch.optim.SGD(
            made, lr=options.lr, momentum=options.momentum, nesterov=options.nesterov, fused=True
        )
        if options.momentum:
            # The fused kernel refuses parameters that join later, when a part is no longer frozen.
            for parameter in named.values():
                made_sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return made_sgd
    kind = torch.optim.AdamW if options.name == "adamw" else torch.optim.Adam
    return kind(made, lr=options.lr, betas=options.betas, fused=True)


def _rate_of(name: str, lr: float, rates: Mapping[str, float]) -> float:
    own = [prefix for prefix in rates if below(name, [prefix])]
    return rates[max(own, key=len)] if own else lr


def set_rates(optimizer: torch.optim.Optimizer, rate_of: Callable[[float], float]) -> None:
    """Gives each group the rate that `rate_of` makes of its own."""
    for group in optimizer.param_groups:
        group["lr"] = rate_of(group["base"])


def is_decayed(parameter: nn.Parameter, options: lock.Optimizer) -> bool:
    """False for biases and the two vectors of a batch norm where `decay = weights`."""
    return options.decay == "all" or parameter.dim() > 1


@torch.no_grad()
def add_l2_gradient(parameters: Sequence[nn.Parameter], decay: float) -> None:
    """Adds the gradient of `decay * sum(w ** 2)`, the explicit term of the vendor's loss, as backward of that term would.

    Written out because autograd through a sum over every weight costs a kernel a parameter in each direction.
    """
    pairs = [(parameter.grad, parameter.data) for parameter in parameters if parameter.grad is not None]
    if pairs:
        torch._foreach_add_([gradient for gradient, _ in pairs], [weight for _, weight in pairs], alpha=2 * decay)


@torch.no_grad()
def l2_term(parameters: Sequence[nn.Parameter], decay: float) -> Tensor:
    """`decay * sum(w ** 2)`, for the record."""
    return decay * torch.stack(torch._foreach_norm(list(parameters))).square().sum()

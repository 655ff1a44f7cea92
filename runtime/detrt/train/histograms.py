"""Samples of parameters, gradients and activations for histograms: at most so many values of each, evenly spread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_VALUES = 4096


def sample(tensor: Tensor) -> Tensor:
    """Up to 4096 values of `tensor`, every n-th one."""
    flat = tensor.detach().reshape(-1)
    return flat[:: max(1, flat.numel() // _VALUES)][:_VALUES].float()


def of_parameters(model: nn.Module) -> dict[str, Tensor]:
    """Values and, where backward has just run, gradients."""
    found: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        found[f"parameters/{name}"] = sample(parameter)
        if parameter.grad is not None:
            found[f"gradients/{name}"] = sample(parameter.grad)
    return {name: values for name, values in found.items() if values.numel() and bool(torch.isfinite(values).all())}


@contextmanager
def of_activations(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Outputs of every module without children, of the first forward pass inside the `with`."""
    found: dict[str, Tensor] = {}

    def keep(name: str):  # type: ignore[no-untyped-def]
        def hook(_: nn.Module, __: object, output: object) -> None:
            key = f"activations/{name}"
            if isinstance(output, Tensor) and key not in found and output.numel():
                found[key] = sample(output)

        return hook

    leaves = [(name, module) for name, module in model.named_modules() if name and not any(module.children())]
    hooks = [module.register_forward_hook(keep(name)) for name, module in leaves]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()

"""A device package for tests of the engine: weights to 1/64, activations to 31 steps of their caps. Keeps the names
of the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PAIRS = {"conv1": "relu1", "conv2": "relu2", "head": "relu3"}


def _through(value: Tensor, rounded: Tensor) -> Tensor:
    return value + (rounded - value).detach()


class RoundedConv(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        weight = _through(self.weight, (self.weight * 64).round() / 64)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class CappedRelu(nn.Module):
    def __init__(self, cap: float) -> None:
        super().__init__()
        self.cap = cap

    def forward(self, x: Tensor) -> Tensor:
        y = x.clamp(0, self.cap)
        return _through(y, (y * (31 / self.cap)).round() / (31 / self.cap))


def prepare(model: nn.Module, lock: dict[str, Any], stage: dict[str, Any], caps: dict[str, float] | None) -> nn.Module:
    folded = bool(stage["quantize"]["folded"])
    for conv, relu in PAIRS.items():
        getattr(model, conv).__class__ = RoundedConv
        if stage["quantize"]["activations"]:
            assert caps is not None
            setattr(model, relu, CappedRelu(31.0 if folded else caps[relu]))
    return model


def measure(
    model: nn.Module, lock: dict[str, Any], batches: Iterable[Tensor], ranks: list[float]
) -> list[dict[str, float]]:
    caps = [dict.fromkeys(PAIRS.values(), 1e-3) for _ in ranks]

    def hook(relu: str):
        def keep(_: nn.Module, __: object, output: Tensor) -> None:
            for found, rank in zip(caps, ranks, strict=True):
                found[relu] = max(found[relu], float(torch.quantile(output.reshape(-1), rank / 100)))

        return keep

    hooks = [getattr(model, conv).register_forward_hook(hook(relu)) for conv, relu in PAIRS.items()]
    with torch.no_grad():
        for batch in batches:
            model(batch)
    for handle in hooks:
        handle.remove()
    return caps


def fold(model: nn.Module, lock: dict[str, Any], caps: dict[str, float]) -> None:
    before = 31.0
    with torch.no_grad():
        for conv, relu in PAIRS.items():
            getattr(model, conv).weight.mul_(before / caps[relu])
            getattr(model, conv).bias.mul_(31.0 / caps[relu])
            before = caps[relu]


def rescale(model: nn.Module, lock: dict[str, Any], batches: Iterable[Tensor]) -> None:
    for batch in batches:
        assert batch.shape[1:] == (3, 28, 28)


def output_scale(lock: dict[str, Any], caps: dict[str, float]) -> float:
    return caps["relu3"] / 31

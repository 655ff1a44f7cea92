"""A device package for tests of the engine: weights to 1/64, activations to 31 steps of their caps or of the highest number of
their ranges. Keeps the names of the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from detrt.quant import Observed

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
    if stage["quantize"]["int8"]:
        assert caps is not None
        caps = {relu: max(caps[f"{relu}.high"], 1e-3) for relu in PAIRS.values()}
    for conv, relu in PAIRS.items():
        getattr(model, conv).__class__ = RoundedConv
        if stage["quantize"]["activations"] or stage["quantize"]["int8"]:
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


def exports(stage: dict[str, Any]) -> bool:
    return bool(stage["quantize"]["folded"] or stage["quantize"]["int8"])


def measure_ranges(
    model: nn.Module, lock: dict[str, Any], batches: Iterable[Tensor], trials: list[dict[str, Any]]
) -> list[dict[str, float]]:
    seen = Observed(list(PAIRS.values()), trials)
    hooks = [
        getattr(model, conv).register_forward_hook(lambda _, __, output, relu=relu: seen.look(relu, output))
        for conv, relu in PAIRS.items()
    ]
    with torch.no_grad():
        for batch in batches:
            model(batch)
    for handle in hooks:
        handle.remove()
    return [
        {
            f"{name}.{end}": value
            for name, ends in found.items()
            for end, value in zip(("low", "high"), ends, strict=True)
        }
        for found in seen.ranges()
    ]


def equalize(model: nn.Module, lock: dict[str, Any]) -> int:
    with torch.no_grad():
        for name, factor in (("conv1", 2.0), ("conv2", 0.5)):
            getattr(model, name).weight.mul_(factor)
            getattr(model, name).bias.mul_(2.0 if name == "conv1" else 1.0)
    return 1


def correct_bias(model: nn.Module, lock: dict[str, Any], batches: Iterable[Tensor]) -> int:
    return sum(len(batch) for batch in batches)

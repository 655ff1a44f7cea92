"""The quantised stages of training on a model's modules: what the training engine calls.

A stage's checkpoint always has the keys of the plain model. Order of use: load the weights the stage begins with, `rescale`
and `fold` if the stage says so and begins, then `prepare`; a resumed stage only prepares. Formulas: MDK guide, measured on
the vendor's quantiser.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from detrt.devices.gti5801.arithmetic import ACTIVATION_MAX, Clipped, deviation
from detrt.devices.gti5801.chain import Link, check_caps, read_plan
from detrt.devices.gti5801.errors import DeviceError
from detrt.devices.gti5801.fakequant import FoldedNorm, QuantConv2d, QuantReLU, fused

Lock = Mapping[str, Any]


def _module(model: nn.Module, name: str) -> nn.Module:
    try:
        return model.get_submodule(name)
    except AttributeError as error:
        raise DeviceError(
            f"the model has no layer `{name}`, which the plan puts on the chip", remedy="build again"
        ) from error


def _put(model: nn.Module, name: str, new: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(_module(model, parent), last, new)


def conv_and_norm(model: nn.Module, link: Link) -> tuple[nn.Conv2d, nn.BatchNorm2d | None]:
    """The convolution of a link and the batch norm folded into it."""
    conv = _module(model, link.conv)
    norm = _module(model, link.norm) if link.norm else None
    if not isinstance(conv, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d | None):
        raise DeviceError(
            f"`{link.conv}` is a {type(conv).__name__}, the plan takes it for a convolution", remedy="build again"
        )
    return conv, norm


@torch.no_grad()
def assign(conv: nn.Conv2d, norm: nn.BatchNorm2d | None, weight: Tensor, bias: Tensor | None) -> None:
    """Makes `weight` and `bias` the effective numbers of the pair; the batch norm turns exactly neutral and holds the bias."""
    conv.weight.copy_(weight)
    if norm is None:
        if conv.bias is not None and bias is not None:
            conv.bias.copy_(bias)
        return
    assert norm.running_mean is not None and norm.running_var is not None and bias is not None
    if conv.bias is not None:
        conv.bias.zero_()
    norm.bias.copy_(bias)
    norm.weight.fill_(1.0)
    norm.running_mean.zero_()
    norm.running_var.fill_(_neutral_variance(norm.eps))


def _neutral_variance(eps: float) -> float:
    """A float32 v with sqrt(v + eps) = 1 exactly."""
    value = torch.tensor(1.0 - eps)
    while float(deviation(value, eps)) != 1.0:
        value = torch.nextafter(value, torch.tensor(1.0))
    return float(value)


def exports(stage: Mapping[str, Any]) -> bool:
    """True if the stage's numbers are the chip's, its caps folded into the weights."""
    return bool((stage.get("quantize") or {}).get("folded"))


def prepare(
    model: nn.Module, lock: Lock, stage: Mapping[str, Any], caps: Mapping[str, float] | None = None
) -> nn.Module:
    """Swaps, in place, the modules on the chip for quantised ones, as `stage["quantize"]` says; gives `model` back.

    `weights`: convolutions on the chip's grid, batch norm folded into them. `activations`: ReLUs of 31 steps up to the `caps`
    (by ReLU node) of the calibration. `folded`: all ReLUs end at 31 and outputs are whole numbers, to be multiplied by
    `output_scale`. Parameters are the same objects under the same names. DeviceError without a plan or without caps.
    """
    wanted = stage.get("quantize") or {}
    plan = read_plan(lock)
    activations, folded = wanted.get("activations"), bool(wanted.get("folded"))
    if activations and not folded:
        check_caps(plan, caps or {})
    for link in plan.links:
        if wanted.get("weights") or folded:
            _quantize_conv(model, link, folded)
        if folded:
            _put(model, link.relu, QuantReLU(link.top, link.levels))
        elif activations and caps:
            _put(model, link.relu, QuantReLU(caps[link.relu_node], link.levels))
    return model


def _quantize_conv(model: nn.Module, link: Link, folded: bool) -> None:
    conv, norm = conv_and_norm(model, link)
    if not isinstance(conv, QuantConv2d):
        if norm is not None:
            assign(conv, norm, *fused(conv.weight, conv.bias, norm))
            norm.__class__ = FoldedNorm  # the same parameters and buffers, no arithmetic of its own
            norm.weight.requires_grad_(False)
            if conv.bias is not None:
                conv.bias.requires_grad_(False)
        conv = QuantConv2d.of(conv, link.bits, norm)
        _put(model, link.conv, conv)
    conv.bits, conv.exact = link.bits, folded


@torch.no_grad()
def fold(model: nn.Module, lock: Lock, caps: Mapping[str, float]) -> None:
    """Folds the caps into weights and biases, in place and once: afterwards every ReLU of the chip ends at 31.

    w_i *= cap_(i-1) / cap_i with cap_0 = 31, b_i *= 31 / cap_i; a 10-bit last layer ends at 31.96875 instead.
    """
    plan = read_plan(lock)
    check_caps(plan, caps)
    before = float(ACTIVATION_MAX)
    for link in plan.links:
        cap = caps[link.relu_node]
        conv, norm = conv_and_norm(model, link)
        weight, bias = fused(conv.weight, conv.bias, norm)
        assign(conv, norm, weight * (before / cap * (link.top / 31)), None if bias is None else bias * (link.top / cap))
        before = cap


def output_scale(lock: Lock, caps: Mapping[str, float]) -> float:
    """What one step of the folded model's output is worth: the last cap / 31 (/ 31.96875 behind a 10-bit layer)."""
    plan = read_plan(lock)
    check_caps(plan, caps)
    last = plan.links[-1]
    return caps[last.relu_node] / last.top


def clipped(model: nn.Module) -> dict[str, Clipped]:
    """By convolution, what left the chip's integer range in the last forward pass; empty if nothing did."""
    return {name: m.clipped for name, m in model.named_modules() if isinstance(m, QuantConv2d) and m.clipped}

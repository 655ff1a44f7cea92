"""Measuring on pictures: the cap of each ReLU, and channels rescaled so that their quantised response matches the float one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from detrt.devices.gti5801.arithmetic import quantize_layer
from detrt.devices.gti5801.chain import INPUT_CAP, Link, Plan, read_plan
from detrt.devices.gti5801.errors import DeviceError
from detrt.devices.gti5801.fakequant import QuantConv2d, fused
from detrt.devices.gti5801.stages import Lock, assign, conv_and_norm, prepare

Caps = dict[str, float]
RESCALE_ROUNDS = 2
LARGEST_GAIN = 8.0


class _Percentiles:
    """Largest percentile, over batches, of what enters each ReLU."""

    def __init__(self, plan: Plan, ranks: list[float]) -> None:
        self.ranks = ranks
        self.found = {link.relu_node: np.full(len(ranks) + 1, -np.inf) for link in plan.links}

    def watch(self, node: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            values = inputs[0].detach().float().cpu().numpy().ravel()
            found = [*np.percentile(values, self.ranks), values.max()]
            self.found[node] = np.maximum(self.found[node], found)

        return look

    def caps(self, plan: Plan, index: int) -> Caps:
        """Caps of one rank; a layer that is silent at that rank gets its maximum, a dead one 1. Tied where the chip adds."""
        caps = {}
        for node, found in self.found.items():
            value = found[index] if found[index] > 0 else found[-1]
            caps[node] = float(value) if value > 0 else 1.0
        for names in plan.cap_groups():
            shared = INPUT_CAP if "" in names else max(caps[name] for name in names)
            caps |= {name: shared for name in names if name}
        return caps


@torch.no_grad()
def measure(model: nn.Module, lock: Lock, batches: Iterable[Tensor], ranks: Sequence[float]) -> list[Caps]:
    """The caps of each ReLU, by node name, for each percentile in `ranks`, in one pass over `batches`.

    A cap is the largest, over batches, of a percentile (linear interpolation) of all values that enter the ReLU; in a net with
    shortcuts that is the sum, and caps of maps that are added are made equal. `batches` are encoded pictures [n, C, S, S].
    Weights that are still float are quantised for the measurement only. DeviceError without pictures.
    """
    if not ranks or not all(0 < q <= 100 for q in ranks):
        raise DeviceError(f"percentiles lie above 0 and up to 100, not {list(ranks)}")
    plan = read_plan(lock)
    if not any(isinstance(module, QuantConv2d) for module in model.modules()):
        model = prepare(copy.deepcopy(model), lock, {"quantize": {"weights": "masks"}})
    percentiles = _Percentiles(plan, list(ranks))
    relus = [(model.get_submodule(link.relu), link.relu_node) for link in plan.links]
    hooks = [relu.register_forward_pre_hook(percentiles.watch(node)) for relu, node in relus]
    training = model.training
    model.eval()
    seen = 0
    try:
        for batch in batches:
            model(batch)
            seen += len(batch)
    finally:
        for hook in hooks:
            hook.remove()
        model.train(training)
    if not seen:
        raise DeviceError("no pictures to calibrate on")
    return [percentiles.caps(plan, index) for index in range(len(ranks))]


def calibrate(model: nn.Module, lock: Lock, batches: Iterable[Tensor], options: Mapping[str, Any]) -> Caps:
    """`measure` at the one percentile `q` of the stage's `calibrate.caps` (MDK: 99)."""
    return measure(model, lock, batches, [float(options.get("q", 99.0))])[0]


@torch.no_grad()
def rescale(model: nn.Module, lock: Lock, batches: Iterable[Tensor]) -> None:
    """Scales and shifts each output channel so that quantised weights give it the mean and deviation of the float ones.

    Layer by layer on `batches` of encoded pictures, each layer behind the quantised ones before it. In place, before `prepare`;
    afterwards the float numbers of the checkpoint are the corrected ones. Gains stay within 1/8 to 8.
    """
    plan = read_plan(lock)
    exact = [batch.float() for batch in batches]
    if not exact:
        raise DeviceError("no pictures to rescale on")
    device = next(model.parameters()).device
    exact = [batch.to(device) for batch in exact]
    rough = list(exact)
    exact_before, rough_before = exact, rough
    for link in plan.links:
        conv, norm = conv_and_norm(model, link)
        relu = model.get_submodule(link.relu)
        weight, bias = fused(conv.weight, conv.bias, norm)
        bias = torch.zeros_like(weight[:, 0, 0, 0]) if bias is None else bias
        aims = [_apply(x, weight, bias, link) for x in exact]
        mean, deviation = _moments(aims)
        new_weight, new_bias = weight.clone(), bias.clone()
        for _ in range(RESCALE_ROUNDS):
            have_mean, have_deviation = _moments([_quantized(x, new_weight, new_bias, link) for x in rough])
            gain = (deviation / have_deviation.clamp_min(1e-8)).clamp(1 / LARGEST_GAIN, LARGEST_GAIN)
            gain = torch.where((deviation > 1e-8) & (have_deviation > 1e-8), gain, torch.ones_like(gain))
            new_weight *= gain.reshape(-1, 1, 1, 1)
            new_bias = mean - gain * (have_mean - new_bias)
        assign(conv, norm, new_weight, new_bias)
        results = [_quantized(x, new_weight, new_bias, link) for x in rough]
        exact, exact_before = _forward(aims, exact, exact_before, relu, link), exact
        rough, rough_before = _forward(results, rough, rough_before, relu, link), rough


def _apply(x: Tensor, weight: Tensor, bias: Tensor, link: Link) -> Tensor:
    groups = weight.shape[0] if link.kind == "depthwise" else 1
    return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=groups)


def _quantized(x: Tensor, weight: Tensor, bias: Tensor, link: Link) -> Tensor:
    layer = quantize_layer(weight, bias, link.bits)
    assert layer.bias is not None
    return _apply(x, layer.weight, layer.bias, link)


def _moments(maps: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each channel over all pictures of all batches."""
    share = torch.tensor([float(len(m)) for m in maps], dtype=torch.float64, device=maps[0].device)[:, None]
    share /= share.sum()
    parts = [torch.var_mean(m, (0, 2, 3), correction=0) for m in maps]
    variances, means = (torch.stack([part[i] for part in parts]).double() for i in (0, 1))
    mean = (share * means).sum(0)
    variance = (share * (variances + (means - mean).square())).sum(0)
    return mean.float(), variance.sqrt().float()


def _forward(
    sums: list[Tensor], inputs: list[Tensor], before: list[Tensor], relu: nn.Module, link: Link
) -> list[Tensor]:
    """What the next link reads, a batch at a time."""
    out = []
    for total, earlier in zip(sums, before, strict=True):
        y = relu(total + earlier if link.skip else total)
        if link.pool:
            y = F.max_pool2d(y, 2) if link.pool == "max" else y[:, :, ::2, ::2]
        out.append(y)
    return out

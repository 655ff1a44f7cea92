"""Equalised weights compute what they did; corrected biases put a rounded layer's mean back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from detrt.quant import Layer, Pair, corrections, equalise
from detrt.quant.biases import Means


def layer(conv: nn.Conv2d, norm: nn.BatchNorm2d | None = None) -> Layer:
    if norm is None:
        rows = (conv.weight,) if conv.bias is None else (conv.weight, conv.bias)
        return Layer(conv.weight, rows, conv.groups)
    assert norm.running_var is not None
    deviation = (norm.running_var + norm.eps).sqrt()
    return Layer(conv.weight, (norm.weight, norm.bias), conv.groups, norm.weight, deviation)


def uneven(net: nn.Sequential) -> None:
    """Channels whose weights differ a thousandfold, and batch norms with a past."""
    made = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in net:
            if isinstance(module, nn.Conv2d):
                module.weight.mul_(10 ** torch.empty(len(module.weight), 1, 1, 1).uniform_(-1.5, 1.5, generator=made))
            if isinstance(module, nn.BatchNorm2d):
                for tensor in (module.weight, module.running_var):
                    assert tensor is not None
                    tensor.copy_(torch.empty_like(tensor).uniform_(0.2, 3, generator=made))
                assert module.running_mean is not None
                module.running_mean.copy_(torch.randn(len(module.bias), generator=made))


@pytest.mark.parametrize("between", [nn.ReLU(), nn.LeakyReLU(0.1), nn.MaxPool2d(2), nn.Identity()])
def test_an_equalised_net_computes_the_same_with_even_channels(between: nn.Module) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), between, nn.Conv2d(8, 8, 3, groups=8), between,
        nn.Conv2d(8, 12, 1, bias=False), between, nn.Conv2d(12, 4, 3, groups=2),
    ).eval()  # fmt: skip
    uneven(net)
    picture = torch.randn(2, 3, 44, 44)
    before = net(picture).detach()
    first, depthwise, pointwise, last = (
        layer(net[0], net[1]), layer(net[3]), layer(net[5]), layer(net[7])
    )  # fmt: skip
    pairs = [Pair(first, depthwise), Pair(depthwise, pointwise), Pair(pointwise, last)]
    equalise(pairs)
    assert torch.allclose(net(picture), before, rtol=1e-3, atol=1e-3 * float(before.abs().max()))
    for pair in pairs:
        assert torch.allclose(pair.first.of_outputs(), pair.second.of_inputs(), rtol=0.02)


def test_a_dead_channel_stays() -> None:
    first, second = nn.Conv2d(1, 3, 1), nn.Conv2d(3, 2, 1)
    with torch.no_grad():
        first.weight[1] = 0
        second.weight[:, 2] = 0
    dead = first.bias[1].item(), second.weight[:, 1].clone()
    equalise([Pair(layer(first), layer(second))])
    assert first.bias[1].item() == dead[0] and torch.equal(second.weight[:, 1], dead[1])
    assert torch.isfinite(first.weight).all() and torch.isfinite(second.weight).all()


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_a_corrected_bias_gives_the_mean_back(groups: int) -> None:
    torch.manual_seed(1)
    conv = nn.Conv2d(6, 12, 3, groups=groups)
    pictures = [torch.rand(2, 6, 9, 9) + torch.arange(6.0).view(1, 6, 1, 1) for _ in range(3)]
    means = Means()
    for batch in pictures:
        means.look("x", batch)
    exact = torch.cat(pictures)
    assert torch.allclose(means.of("x"), exact.double().mean((0, 2, 3)))
    rounded = (conv.weight * 4).round() / 4
    shift = corrections(conv.weight.detach(), rounded.detach(), means.of("x"), groups)
    with torch.no_grad():
        wanted = conv(exact)
        conv.weight.copy_(rounded)
        off = (conv(exact) - wanted).mean((0, 2, 3))
        conv.bias.sub_(shift)
        left = (conv(exact) - wanted).mean((0, 2, 3))
    assert left.abs().max() < 0.05 * off.abs().max()

"""Dead outputs are pushed back; everything else is left as it is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from detrt.errors import DetrtError
from detrt.heads import build_head
from detrt.heads.revive import revive


def gradient(x: torch.Tensor, upstream: torch.Tensor, weight: float | None) -> tuple[torch.Tensor, torch.Tensor]:
    activation = nn.ReLU()
    if weight is not None:
        revive(activation, weight)
    leaf = x.clone().requires_grad_()
    output = activation(leaf)
    output.backward(upstream)
    assert leaf.grad is not None
    return output.detach(), leaf.grad


def test_only_held_outputs_that_should_rise_get_a_gradient() -> None:
    x = torch.tensor([-1.0, -1.0, 0.0, 2.0, 2.0])
    upstream = torch.tensor([-3.0, 3.0, -3.0, -3.0, 3.0])
    plain, without = gradient(x, upstream, None)
    same, with_push = gradient(x, upstream, 0.5)
    assert torch.equal(plain, same)
    assert without.tolist() == [0, 0, 0, -3, 3]
    assert with_push.tolist() == [-1.5, 0, -1.5, -3, 3]


def test_the_hook_can_be_taken_off() -> None:
    activation = nn.ReLU()
    revive(activation, 1.0).remove()
    leaf = torch.tensor([-1.0], requires_grad=True)
    activation(leaf).backward(torch.tensor([-1.0]))
    assert leaf.grad is not None and leaf.grad.item() == 0


def test_a_dead_output_learns_again() -> None:
    torch.manual_seed(0)
    layer, activation = nn.Linear(4, 1), nn.ReLU()
    nn.init.constant_(layer.bias, -5.0)
    revive(activation, 1.0)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    inputs = torch.rand(16, 4)
    for _ in range(200):
        optimiser.zero_grad()
        (activation(layer(inputs)) - 1).square().mean().backward()
        optimiser.step()
    assert (activation(layer(inputs)) - 1).abs().mean() < 0.2


def test_the_loss_option_hooks_the_layer_that_the_head_reads() -> None:
    model = nn.Sequential(nn.Conv2d(3, 13, 1), nn.ReLU())
    entry = {"kind": "gnetdet", "on": ["grid"], "nodes": ["1"], "options": {"classes": 3, "grid": [4, 4]}}
    assert build_head(entry).attach(model) is None
    handle = build_head(entry, {"dead": 1.0}).attach(model)
    assert handle is not None and len(model[1]._forward_hooks) == 1
    with pytest.raises(DetrtError, match="no layer `gone`"):
        build_head(entry | {"nodes": ["gone"]}, {"dead": 1.0}).attach(model)

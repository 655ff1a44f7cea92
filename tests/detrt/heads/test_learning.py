"""A narrow net learns the synthetic set with this loader, head and scoring, in a plain loop of a few seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from detrt.data import open_dataset
from detrt.data.encode import Encoding
from detrt.data.loader import plain_loader, train_loader
from detrt.evaluate import score
from detrt.heads import build_head

RECIPE = {"noobj": 0.05, "detach_iou": True, "sqrt_eps": 1e-3, "norm_init": None}
AUGMENT = [{"name": "flip", "p": 0.5}, {"name": "hsv", "p": 0.5, "range": [0.8, 1.2]}]


def narrow_net(inputs: torch.Tensor) -> nn.Sequential:
    """Four convolutions between poolings, each channel scaled to unit deviation on `inputs`, and a quiet last layer."""
    layers: list[nn.Module] = []
    channels = 3
    for out, pooled in ((12, True), (24, True), (32, True), (48, False), (48, False)):
        layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU(), *([nn.MaxPool2d(2)] if pooled else [])]
        channels = out
    net = nn.Sequential(*layers, nn.Conv2d(channels, 13, 3, padding=1), nn.ReLU())
    with torch.no_grad():
        for layer in net:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)
                found = layer(inputs)
                mean, deviation = found.mean((0, 2, 3)), found.std((0, 2, 3))
                layer.weight /= deviation[:, None, None, None]
                layer.bias.copy_(-mean / deviation)
            inputs = layer(inputs)
        net[-2].weight *= 0.1
        net[-2].bias.fill_(0.3)
    return net.to(memory_format=torch.channels_last)


def learned(loss: dict[str, object], epochs: int = 6) -> float:
    """mAP@0.5 on unseen pictures."""
    torch.manual_seed(0)
    data = {
        "format": "synthetic",
        "train": {"images": 240},
        "val": {"images": 40},
        "options": {"size": [112, 112], "objects": [1, 3]},
    }
    train, val = (open_dataset(data, split, Path(".")) for split in ("train", "val"))
    entry = {"kind": "gnetdet", "on": ["grid"], "options": {"classes": 3, "grid": [14, 14]}}
    head = build_head(entry, loss)
    encoding = Encoding(112, 112, "bgr", "u5")
    loader = train_loader(train, encoding, head.targets, batch=8, augment=AUGMENT, workers=1)
    net = narrow_net(next(iter(loader)).inputs)
    entry["nodes"] = [str(len(net) - 1)]
    head = build_head(entry, loss)
    head.attach(net)
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * len(loader))
    for epoch in range(epochs):
        loader.set_epoch(epoch)
        for batch in loader:
            optimiser.zero_grad()
            torch.autograd.backward(torch.stack(list(head.loss(net(batch.inputs), batch.targets).values())).sum())
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            schedule.step()
    found = []
    with torch.no_grad():
        for batch in plain_loader(val, encoding, head.targets, batch=16, workers=1):
            found += head.decode(net(batch.inputs))
    return score(val, found).map50


@pytest.mark.long
@pytest.mark.parametrize("loss", [RECIPE, RECIPE | {"noobj": 0.5, "dead": 1.0}], ids=["recipe", "revived"])
def test_it_learns(loss: dict[str, object]) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert learned(loss) > 0.7
    finally:
        torch.set_num_threads(threads)

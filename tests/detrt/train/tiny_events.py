"""A sigma-delta detector of three convolutions on 28 pixel pictures, and its lock: what `tiny_detector` has, in time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tiny_detector
import torch
from torch import Tensor, nn

from detrt.layers import DeltaEncoder, Sigma, SigmaDelta, WeightNormConv2d
from detrt.train.engine import train
from detrt.train.options import parse_options


class Tiny(nn.Module):
    """u8[N, 3, 28, 28] -> p [N, 7, 7, 7]."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = DeltaEncoder(0.1)
        self.conv1 = WeightNormConv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.sd1 = SigmaDelta(8, 0.1, "relu", "mean_only_batch")
        self.conv2 = WeightNormConv2d(8, 8, 3, stride=2, padding=1, bias=False)
        self.sd2 = SigmaDelta(8, 0.1, "relu", "mean_only_batch")
        self.head = nn.Conv2d(8, 7, 1, bias=False)
        self.sigma = Sigma()

    def forward(self, clip: Tensor) -> Tensor:
        x = self.sd1(self.conv1(self.encode(clip)))
        return self.sigma(self.head(self.sd2(self.conv2(x))))


def _neuron(module: str, norm: bool, trainable: bool = False) -> dict[str, Any]:
    return {
        "module": module, "threshold": 0.1, "tau_grad": 0.1, "scale_grad": 0.1, "activation": "relu" if norm else None,
        "norm": norm, "shared": True, "trainable": trainable, "message_bits": 16,
    }  # fmt: skip


def plan(trainable: bool = False) -> dict[str, Any]:
    """What the compiler says of the net."""
    layers: list[dict[str, Any]] = [
        {"name": "encode", "type": "input", "shape": [3, 28, 28], "neuron": _neuron("encode", False)}
    ]
    for name, into, out, side, k, stride, neuron in (
        ("conv1", 3, 8, 14, 3, 2, _neuron("sd1", True, trainable)),
        ("conv2", 8, 8, 7, 3, 2, _neuron("sd2", True)),
        ("head", 8, 7, 7, 1, 1, None),
    ):
        layers.append(
            {
                "name": name,
                "type": "conv",
                "shape": [out, side, side],
                "in": into,
                "out": out,
                "k": [k, k],
                "stride": [stride, stride],
                "pad": [k // 2, k // 2],
                "dilation": [1, 1],
                "groups": 1,
                "module": name,
                "weight_norm": neuron is not None,
                "neuron": neuron,
                "sigma": neuron is None,
                "delay": 0,
            }
        )
    net = {"name": "network", "output": "p", "input": {"node": "clip", "shape": [3, 28, 28], "steps": None}}
    return {"schema": 1, "spike_exp": 6, "nets": [{**net, "layers": layers}]}


def stage(name: str, **changes: Any) -> dict[str, Any]:
    """A stage in time on pictures that are held for 3 steps."""
    entry = {
        "quantize": {"events": "sigma_delta"},
        "steps": 3,
        "optimizer": {"name": "adam", "lr": 5e-3},
        "schedule": {"name": "constant"},
        "augment": [],
        "loss": {},
        "init": {"convs": "kaiming"},
        "no_aug_epochs": 0,
    }
    return tiny_detector.stage(name, **{**entry, **changes})


def lock(stages: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    """A whole lock as plain JSON data."""
    made = tiny_detector.lock(stages, target="loihi2", **options)
    made["plan"] = plan()
    model = made["model"]
    names = [("encode", "encode"), ("conv1", "conv"), ("sd1", "sigma_delta"), ("conv2", "conv"), ("sd2", "sigma_delta")]
    nodes = [{**model["nodes"][0], "name": "clip", "module": None}]
    for name, op in [*names, ("head", "conv"), ("sigma", "sigma")]:
        nodes.append({**model["nodes"][1], "name": name, "op": op, "module": name, "inputs": [nodes[-1]["name"]]})
    model["nodes"], model["outputs"] = nodes, {"p": ["sigma"]}
    model["input"] |= {
        "name": "clip",
        "encoding": {"kind": "affine", "scale": 255, "mean": [0.5] * 3, "std": [0.25] * 3},
    }
    head = {"anchors": [[[2.0, 2.0]]], "classes": 2, "clamp": 5.0, "names": tiny_detector.CLASSES, "conf": 0.1}
    model["heads"] = [{"kind": "yolo_sdnn", "on": ["p"], "options": head}]
    return made


def run(lock_path: Path, *argv: str) -> int:
    """Trains in this process, with one thread and only the CSV."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    return train(Tiny, lock_path, parse_options(["--workers", "0", "--device", "cpu", "--track", "csv", *argv]))

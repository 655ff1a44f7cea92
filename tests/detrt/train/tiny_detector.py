"""A detector of three convolutions on 28 pixel pictures, its lock, and a program that trains it: `python
tiny_detector.py LOCK ..`.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import detrt.devices
from detrt.train.engine import train
from detrt.train.options import parse_options

detrt.devices.BACKENDS["stub"] = "stub_backend"

CLASSES = ["disc", "square"]


class Tiny(nn.Module):
    """u8[N, 3, 28, 28] -> grid [N, 12, 7, 7]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)
        self.head = nn.Conv2d(8, 12, 3, padding=1)
        self.relu3 = nn.ReLU()

    def forward(self, frame: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.conv1(frame)))
        x = self.pool2(self.relu2(self.conv2(x)))
        return self.relu3(self.head(x))


def stage(name: str, **changes: Any) -> dict[str, Any]:
    """A stage of the train block `steps`; dicts among `changes` are merged into the defaults."""
    entry: dict[str, Any] = {
        "name": name,
        "train": "steps",
        "id": f"steps.{name}",
        "model": "tiny",
        "data": "shapes",
        "kind": "train",
        "start": None,
        "epochs": 2,
        "batch": 4,
        "optimizer": {"name": "adamw", "lr": 2e-3, "weight_decay": 1e-4},
        "schedule": {"name": "cosine", "warmup": 1, "warmup_from": 1e-4},
        "augment": [
            {"name": "mosaic", "p": 0.2, "scale": [0.8, 1.2]},
            {"name": "mixup", "p": 0.1, "scale": [0.8, 1.2]},
            {"name": "flip", "p": 0.5},
            {"name": "shift", "p": 0.5, "range": [-0.1, 0.1]},
        ],
        "no_aug_epochs": 1,
        "loss": {"noobj": 0.5},
        "init": {"convs": "data", "head_bias": 0.3},
        "ema": 0.9,
        "clip": 5.0,
        "seed": 0,
    }
    return {**entry, **changes}


def all_stages() -> list[dict[str, Any]]:
    """float -> weights -> measure -> acts -> chip."""
    weights = {"weights": "masks", "activations": None, "folded": None}
    acts = {**weights, "activations": {"stage": "steps.measure"}}
    return [
        stage("float"),
        stage("weights", start={"stage": "steps.float", "which": "best"}, quantize=weights, rescale={"images": 4}),
        stage(
            "measure",
            kind="calibrate",
            start={"stage": "steps.weights", "which": "best"},
            quantize=weights,
            images=8,
            epochs=1,
            calibrate={"caps": {"name": "percentile", "q": 99.0, "choose": [99.0, 100.0]}},
        ),
        stage("acts", start={"stage": "steps.weights", "which": "best"}, quantize=acts),
        stage("chip", start={"stage": "steps.acts", "which": "best"}, quantize={**acts, "folded": "u5"}),
    ]


def lock(
    stages: list[dict[str, Any]], pictures: int = 12, test: bool = True, target: str | None = "stub"
) -> dict[str, Any]:
    """A whole lock as plain JSON data."""

    def node(name: str, op: str, *inputs: str) -> dict[str, Any]:
        return {
            "name": name,
            "op": op,
            "attributes": {},
            "inputs": list(inputs),
            "shape": [],
            "dtype": "f32",
            "module": name,
        }

    nodes = [node("frame", "input")]
    for name, op in [
        ("conv1", "conv"),
        ("relu1", "relu"),
        ("pool1", "maxpool"),
        ("conv2", "conv"),
        ("relu2", "relu"),
        ("pool2", "maxpool"),
        ("head", "conv"),
        ("relu3", "relu"),
    ]:
        nodes.append(node(name, op, nodes[-1]["name"]))
    return {
        "schema": 1,
        "detc": "0.1.0",
        "spec": {"name": "tiny", "file": "tiny.det", "sha256": "0" * 64, "params": {"classes": 2}, "overrides": {}},
        "model": {
            "name": "tiny",
            "class": "Tiny",
            "kind": "detector",
            "input": {"name": "frame", "shape": [3, 28, 28], "dtype": "u8", "order": "bgr", "encoding": {"kind": "u5"}},
            "nodes": nodes,
            "outputs": {"grid": ["relu3"]},
            "heads": [
                {
                    "kind": "gnetdet",
                    "on": ["grid"],
                    "options": {"boxes": 2, "classes": 2, "grid": [7, 7], "names": CLASSES, "conf": 0.1, "score": 0.01},
                }
            ],
        },
        "models": {},
        "data": {
            "shapes": {
                "format": "synthetic",
                "root": ".",
                "classes": CLASSES,
                "train": {"images": pictures, "seed": 1},
                "val": {"images": 5, "seed": 2},
                "test": {"images": 4, "seed": 3} if test else None,
                "options": {"size": [32, 32], "objects": [1, 2]},
            }
        },
        "stages": copy.deepcopy(stages),
        "target": {"name": target, "lineage": [target], "facts": {}} if target else None,
        "plan": {"majors": []} if target else None,
        "gates": [],
    }


def write_lock(folder: Path, stages: list[dict[str, Any]], **options: Any) -> Path:
    path = folder / "spec.lock.json"
    path.write_text(json.dumps(lock(stages, **options)), encoding="utf-8")
    return path


def run(lock_path: Path, *argv: str) -> int:
    """Trains in this process, with one thread and only the CSV."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    return train(Tiny, lock_path, parse_options(["--workers", "0", "--device", "cpu", "--track", "csv", *argv]))


def environment() -> dict[str, str]:
    """For a subprocess that imports what this process imports."""
    here = Path(__file__).parent
    runtime = Path(detrt.devices.__file__).parents[2]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(runtime), str(here), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
    }


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), *sys.argv[2:]))

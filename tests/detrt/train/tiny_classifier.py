"""A classifier with the first layers of the tiny detector, its lock with or without that detector, and class folders
that a few steps learn.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tiny_detector
import torch
from torch import Tensor, nn

from detrt.train.engine import train
from detrt.train.options import parse_options

KINDS = ["bricks", "leaves"]
COLOURS = {"bricks": (40, 60, 200), "leaves": (60, 190, 50), "waves": (200, 90, 30)}


class Kinds(nn.Module):
    """u8[N, 3, 28, 28] -> logits [N, 2]."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.AdaptiveAvgPool2d(1)
        self.last = nn.Linear(8, classes)

    def forward(self, frame: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.conv1(frame)))
        x = self.pool2(self.relu2(self.conv2(x)))
        return self.last(x.flatten(1))


def write_folders(root: Path, kinds: list[str] | None = None, **counts: int) -> None:
    """`root/SPLIT/KIND/N.png`: noisy pictures of one colour a kind; `counts` of pictures a kind by split."""
    for split, count in (counts or {"train": 6, "val": 3}).items():
        for kind in kinds or KINDS:
            folder = root / split / kind
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                noise = np.random.default_rng([number, len(kind), len(split)]).integers(-30, 30, (24, 32, 3))
                image = np.clip(np.array(COLOURS[kind]) + noise, 0, 255).astype(np.uint8)
                cv2.imwrite(str(folder / f"{number}.png"), image)


def stage(name: str = "classify", **changes: Any) -> dict[str, Any]:
    """A stage of the train block `pretrain` that learns the kinds."""
    own = {"train": "pretrain", "id": f"pretrain.{name}", "model": "kinds", "data": "folders", "choose": "top1"}
    plain = {"loss": {}, "init": {}, "augment": [], "ema": None, "optimizer": {"name": "adamw", "lr": 2e-2}}
    return tiny_detector.stage(name, **{**own, **plain, **changes})


def lock(root: Path, stages: list[dict[str, Any]]) -> dict[str, Any]:
    """The lock of the tiny detector with the classifier beside it."""
    whole = tiny_detector.lock(stages, target=None)
    node = {"attributes": {}, "shape": [], "dtype": "f32"}
    layers = [("conv1", "conv"), ("relu1", "relu"), ("pool1", "maxpool"), ("conv2", "conv"), ("relu2", "relu")]
    layers += [("pool2", "avgpool"), ("last", "linear")]
    nodes = [{**node, "name": "frame", "op": "input", "inputs": [], "module": "frame"}]
    for name, op in layers:
        nodes.append({**node, "name": name, "op": op, "inputs": [nodes[-1]["name"]], "module": name})
    plain = {"kind": "affine", "mean": [0.5] * 3, "std": [0.25] * 3, "scale": 255.0, "offset": 0.0}
    whole["models"]["kinds"] = {
        "name": "kinds",
        "class": "Kinds",
        "kind": "classifier",
        "input": {"name": "frame", "shape": [3, 28, 28], "dtype": "u8", "order": "bgr", "encoding": plain},
        "nodes": nodes,
        "outputs": {"logits": ["last"]},
        "heads": [{"kind": "softmax", "on": ["logits"], "options": {"classes": 2, "names": None, "image": [28, 28]}}],
    }
    whole["model"]["input"]["encoding"] = plain
    splits = {split: {"folder": split} for split in ("train", "val")}
    whole["data"]["folders"] = {"format": "folders", "root": str(root), "classes": None, "test": None, **splits}
    return whole


def write_lock(folder: Path, root: Path, *stages: dict[str, Any], **changes: Any) -> Path:
    """`changes` go over the data block of the folders."""
    content = lock(root, list(stages))
    content["data"]["folders"] |= changes
    path = folder / "spec.lock.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def run(lock_path: Path, *argv: str) -> int:
    """As tiny_detector.run, for both models."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    classes = {"tiny": tiny_detector.Tiny, "kinds": Kinds}
    return train(classes, lock_path, parse_options(["--workers", "0", "--device", "cpu", "--track", "csv", *argv]))

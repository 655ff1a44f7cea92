"""What the tests of the YOLO heads share: random truth, plain overlap, and the loss of a batch that is shared out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from detrt.heads.base import ground_truth

Box = tuple[float, float, float, float]
"""Centre x, y, width, height as shares of the picture."""


def random_truth(pictures: int, most: int, classes: int, seed: int) -> tuple[Tensor, list[list[tuple[int, Box]]]]:
    """Padded ground truth [n, most, 5] of float64-exact boxes, and the same as lists of (label, box); picture 0 has none."""
    rng = np.random.default_rng(seed)
    rows = torch.full((pictures, most, 5), -1.0)
    lists: list[list[tuple[int, Box]]] = []
    for picture in range(pictures):
        found = []
        for index in range(0 if picture == 0 else int(rng.integers(1, most + 1))):
            size = rng.integers(4, 90, 2) / 128
            centre = size / 2 + rng.random(2) * (1 - size)
            corners = np.round(np.concatenate([centre - size / 2, centre + size / 2]) * 256) / 256
            label = int(rng.integers(classes))
            rows[picture, index] = ground_truth(corners[None].astype(np.float32), np.array([label]))[0]
            x1, y1, x2, y2 = corners.tolist()
            found.append((label, ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)))
        lists.append(found)
    return rows, lists


def plain_iou(a: Box, b: Box) -> float:
    """Of two boxes given as centre and size."""
    inner = 1.0
    for axis in (0, 1):
        low = max(a[axis] - a[axis + 2] / 2, b[axis] - b[axis + 2] / 2)
        high = min(a[axis] + a[axis + 2] / 2, b[axis] + b[axis + 2] / 2)
        inner *= max(0.0, high - low)
    union = a[2] * a[3] + b[2] * b[3] - inner
    return inner / union if union > 0 else 0.0


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def softmax(xs: list[float]) -> list[float]:
    powers = [math.exp(x - max(xs)) for x in xs]
    return [power / sum(powers) for power in powers]


def gradients(head: Any, outputs: Any, targets: Tensor) -> list[Tensor]:
    """Of the sum of the head's terms with respect to each map."""
    maps = outputs if isinstance(outputs, list) else [outputs]
    for one in maps:
        one.requires_grad_(True)
    torch.stack(list(head.loss(outputs, targets).values())).sum().backward()
    return [one.grad for one in maps]


def shared_out(make: Callable[[], Any], parts: list[tuple[Any, Tensor]]) -> dict[str, float]:
    """The terms of a batch whose parts lie on as many processes, added up."""
    sums: list[Tensor] = []

    def collect(value: Tensor) -> Tensor:
        sums.append(value.detach().clone())
        return value

    for outputs, targets in parts:
        make().loss(outputs, targets, collect)
    total = torch.stack(sums).sum(0)
    added: dict[str, float] = {}
    for outputs, targets in parts:
        for name, value in make().loss(outputs, targets, lambda _: total).items():
            added[name] = added.get(name, 0.0) + float(value.detach())
    return added


def corner_boxes(truth: list[tuple[int, Box]]) -> tuple[np.ndarray, np.ndarray]:
    boxes = [[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for _, (x, y, w, h) in truth]
    return np.array(boxes, np.float32).reshape(-1, 4), np.array([label for label, _ in truth], np.int64)

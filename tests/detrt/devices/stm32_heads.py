"""Random heads with random int8 outputs, of every kind that the integer post-processing knows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from detrt.devices.stm32.arithmetic import Int8, Quant, dequantise
from detrt.devices.stm32.program import Program, Tensor
from detrt.heads import build_decoder
from detrt.heads.detections import Detections

Random = np.random.Generator


@dataclass(frozen=True)
class Case:
    """A head of `kind` behind a program without steps, and what that program gave: int8 by the tensor's name."""

    head: dict[str, Any]
    program: Program
    tensors: dict[str, Int8]

    def in_floats(self) -> Detections:
        """What the float decoder makes of the same numbers."""
        outputs = {name: [self._real(tensor) for tensor in tensors] for name, tensors in self.program.outputs.items()}
        return build_decoder(self.head)(outputs)

    def _real(self, name: str) -> np.ndarray:
        values = dequantise(self.tensors[name], self.program.tensors[name].quant)
        return values.transpose(2, 0, 1) if values.ndim == 3 else values


def _case(
    random: Random,
    kind: str,
    options: dict[str, Any],
    shapes: Mapping[str, list[tuple[int, ...]]],
    scales: tuple[float, float] = (0.005, 0.04),
) -> Case:
    """`scales`: least and greatest scale of an output."""
    tensors, outputs = {}, {}
    for output, each in shapes.items():
        outputs[output] = tuple(f"{output}{number}" for number in range(len(each)))
        for name, shape in zip(outputs[output], each, strict=True):
            quant = Quant(float(np.exp(random.uniform(*np.log(scales)))), int(random.integers(-128, 128)))
            tensors[name] = Tensor(name, shape, quant)
    program = Program("random", tensors, (), "frame", outputs)
    return Case({"kind": kind, "on": list(shapes), "options": options}, program, numbers(program, random))


def numbers(program: Program, random: Random) -> dict[str, Int8]:
    """int8 outputs: crowded around a number, or evenly spread."""
    made = {}
    for name, tensor in program.tensors.items():
        crowded = random.normal(random.uniform(-60, 60), random.choice([4, 20, 70]), tensor.shape)
        evenly = random.integers(-128, 128, tensor.shape)
        made[name] = np.clip(np.round(crowded if random.random() < 0.8 else evenly), -128, 127).astype(np.int8)
    return made


def _thresholds(random: Random) -> dict[str, Any]:
    return {
        "score": float(random.choice([0.0, 0.01, 0.25, 0.6])),
        "nms": float(random.choice([0.0, 0.3, 0.5, 1.0])),
        "agnostic": bool(random.integers(2)),
        "max_detections": int(random.choice([1, 7, 100, 2000])),
    }


def _anchors(random: Random, count: int, unit: float) -> list[list[float]]:
    return [[float(v) * unit for v in random.uniform(0.05, 0.8, 2)] for _ in range(count)]


def yolo_v2(random: Random, kind: str = "yolo_v2") -> Case:
    classes, maps = int(random.integers(1, 6)), int(random.integers(1, 4))
    grids = [tuple(int(v) for v in random.integers(1, 7, 2)) for _ in range(maps)]
    counts = [int(random.integers(1, 4)) for _ in grids]
    unit = str(random.choice(["cells", "image"])) if kind == "yolo_v2" else "cells"
    anchors = [_anchors(random, n, 1 if unit == "image" else 3) for n in counts]
    options = {"classes": classes, "anchors": anchors, **_thresholds(random)}
    options |= {"unit": unit} if kind == "yolo_v2" else {"clamp": 2.0, "conf": float(random.choice([0.1, 0.5]))}
    shapes = [(*grid, n * (5 + classes)) for grid, n in zip(grids, counts, strict=True)]
    return _case(random, kind, options, {"map": shapes})


def yolo_sdnn(random: Random) -> Case:
    return yolo_v2(random, "yolo_sdnn")


def yolo_v3(random: Random) -> Case:
    classes = int(random.integers(1, 6))
    image = 64, 96
    masks = [[3, 4, 5], [0, 1]]
    options = {"classes": classes, "anchors": _anchors(random, 6, 60), "masks": masks, "strides": [32, 16],
               "image": image, **_thresholds(random)}  # fmt: skip
    shapes = [(2, 3, 3 * (5 + classes)), (4, 6, 2 * (5 + classes))]
    return _case(random, "yolo_v3", options, {"maps": shapes})


def yolox(random: Random) -> Case:
    classes = int(random.integers(1, 6))
    grids = [(8, 6), (4, 3), (2, 2)]
    options = {"classes": classes, "strides": [8, 16, 32], "image": (64, 48), **_thresholds(random)}
    each = {"box": 4, "obj": 1, "cls": classes}
    return _case(random, "yolox", options, {k: [(*g, c) for g in grids] for k, c in each.items()})


def nanodet(random: Random) -> Case:
    classes, reg_max = int(random.integers(1, 6)), int(random.choice([1, 7, 11]))
    options = {"classes": classes, "strides": [8, 16], "image": (48, 64), "reg_max": reg_max, **_thresholds(random)}
    channels = classes + 4 * (reg_max + 1)
    return _case(random, "nanodet", options, {"maps": [(6, 8, channels), (3, 4, channels)]})


def ssd(random: Random) -> Case:
    classes = int(random.integers(1, 6))
    levels = [{"grid": 5, "step": 16, "min": 20, "max": 40, "ratios": [2, 3]},
              {"grid": 2, "step": 40, "min": 50, "max": 90, "ratios": [2]}]  # fmt: skip
    options = {
        "classes": classes,
        "priors": {"image": 80, "levels": levels},
        "variance": [0.1, 0.2],
        **_thresholds(random),
    }
    shapes = {"loc": [(5, 5, 24), (2, 2, 16)], "conf": [(5, 5, 6 * (classes + 1)), (2, 2, 4 * (classes + 1))]}
    return _case(random, "ssd", options, shapes)


def gnetdet(random: Random) -> Case:
    classes, boxes = int(random.integers(1, 6)), int(random.integers(1, 4))
    grid = tuple(int(v) for v in random.integers(1, 7, 2))
    options = {"classes": classes, "boxes": boxes, "grid": grid, "conf": float(random.choice([0.1, 0.5])),
               **_thresholds(random)}  # fmt: skip
    return _case(random, "gnetdet", options, {"grid": [(*grid, 5 * boxes + classes)]}, (0.004, 0.02))


def yolo_v1(random: Random) -> Case:
    classes, boxes = int(random.integers(1, 6)), int(random.integers(1, 4))
    grid = tuple(int(v) for v in random.integers(1, 7, 2))
    options = {"classes": classes, "boxes": boxes, "grid": grid, **_thresholds(random)}
    features = math.prod(grid) * (classes + 5 * boxes)
    return _case(random, "yolo_v1", options, {"flat": [(features,)]}, (0.004, 0.02))


def softmax(random: Random) -> Case:
    classes = int(random.integers(1, 30))
    shape = (classes,) if random.random() < 0.5 else (1, 1, classes)
    return _case(random, "softmax", {"classes": classes}, {"logits": [shape]})


CASES: dict[str, Callable[[Random], Case]] = {
    f.__name__: f for f in (yolo_v2, ssd, yolox, yolo_v3, yolo_sdnn, gnetdet, yolo_v1, nanodet, softmax)
}


def case(kind: str, seed: int) -> Case:
    return CASES[kind](np.random.default_rng(seed))

"""Bytes of the buffer in which the C code of a head keeps its boxes: what detrt's `buffer_bytes` gives (a test compares)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

ENTRY = 24
"""A box: four coordinates, score and class, 4 bytes each."""
COMPETING = 512
"""Boxes of a picture that compete, unless more may be found."""
NAMED = 5
"""Classes that a classifier names."""
FOUND = {"yolo_sdnn": 300}
"""Boxes of a picture that may be found, where a head's options do not say and it is not 100."""
ONE_CLASS = ("yolo_sdnn", "yolox", "gnetdet")
"""Heads of whose boxes only the likeliest class competes."""

OUTPUTS_A_MAP = {"ssd": 2, "yolox": 3}
"""Tensors that hold what is predicted of one map, where that is not one."""

Shapes = Sequence[Sequence[Sequence[int]]]
"""For each output that a head reads its maps as [height, width, channels]."""


def buffer_bytes(kind: str, options: Mapping[str, Any], shapes: Shapes) -> int:
    """Bytes for a head of `kind` with the `options` of the lock; 0 for a kind that whole numbers do not decode."""
    classes = int(options.get("classes", 0))
    if kind == "softmax":
        return ENTRY * min(NAMED, classes)
    possible = _boxes(kind, options, shapes) * (1 if kind in ONE_CLASS else classes)
    return ENTRY * min(possible, max(COMPETING, int(options.get("max_detections", FOUND.get(kind, 100)))))


def map_count(kind: str, outputs: int) -> int:
    """How many maps a head decodes, of so many tensors that it reads."""
    return outputs // OUTPUTS_A_MAP.get(kind, 1)


def _boxes(kind: str, options: Mapping[str, Any], shapes: Shapes) -> int:
    """How many boxes the head predicts in a picture, before any threshold."""
    maps = shapes[0] if shapes else ()
    if kind in ("yolo_v2", "yolo_v3", "yolo_sdnn"):
        return sum(prod(shape) for shape in maps) // (5 + int(options.get("classes", 0)))
    if kind == "ssd":
        return sum(prod(shape) for shape in maps) // 4
    if kind in ("yolox", "nanodet"):
        return sum(shape[0] * shape[1] for shape in maps)
    if kind in ("gnetdet", "yolo_v1"):
        return prod(int(side) for side in options.get("grid", ())) * int(options.get("boxes", 2))
    return 0

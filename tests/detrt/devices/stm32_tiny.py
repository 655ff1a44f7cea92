"""A quantised network small enough to be read as C: one of the common kernels each, with numbers of its own."""

from __future__ import annotations

import numpy as np

from detrt.devices.stm32.arithmetic import Int8, Quant, rescale_of
from detrt.devices.stm32.program import (
    Add,
    Concat,
    Conv,
    Depthwise,
    MaxPool,
    Program,
    Resize,
    Step,
    Tensor,
)

HEAD = {
    "kind": "yolo_v2",
    "on": ["map"],
    "options": {
        "classes": 3,
        "names": ["cell", "cat", "dog"],
        "image": [8, 8],
        "anchors": [[[1.0, 2.0]]],
        "score": 0.1,
    },
}
LOCK = {
    "spec": {"file": "tiny.det"},
    "target": {"name": "stm32h747i_disco", "lineage": ["stm32", "cortex_m7", "stm32h7", "stm32h747i_disco"]},
    "model": {"input": {"order": "rgb"}},
    "plan": {
        "steps": [
            {"name": "stem.conv1", "activation": ["relu6"]},
            {"name": "lite.pointwise", "activation": ["silu"]},
        ]
    },
}
"""What the C code is told besides the program."""


def tiny_program(rename: dict[str, str] | None = None) -> Program:
    """An 8x8 picture through seven layers to a map [4, 4, 8]. `rename` gives layers and tensors other names."""
    rng = np.random.default_rng(5)
    names = rename or {}

    def called(name: str) -> str:
        return names.get(name, name)

    def weights(*shape: int) -> Int8:
        return rng.integers(-127, 128, shape).astype(np.int8)

    tensors: dict[str, Tensor] = {}
    steps: list[Step] = []

    def tensor(name: str, shape: tuple[int, ...], scale: float, zero: int) -> str:
        tensors[called(name)] = Tensor(called(name), shape, Quant(scale, zero))
        return called(name)

    def about(name: str, output: str, *inputs: str, line: int) -> dict[str, object]:
        return {
            "name": called(name),
            "inputs": tuple(map(called, inputs)),
            "output": output,
            "where": f"tiny.det:{line}",
        }

    def factors(count: int) -> dict[str, object]:
        return {
            "bias": rng.integers(-4000, 4000, count).astype(np.int32),
            "rescale": rescale_of(rng.uniform(1e-3, 4e-3, count)),
        }

    frame = tensor("frame", (8, 8, 3), 1 / 255, -128)
    stem = tensor("stem.conv1", (4, 4, 4), 0.02, -128)
    steps.append(
        Conv(
            **about("stem.conv1", stem, "frame", line=12),
            weight=weights(4, 3, 3, 3),
            stride=(2, 2),
            pad=(0, 0, 1, 1),
            low=-128,
            high=117,
            **factors(4),
        )
    )
    wide = tensor("lite.depthwise", (4, 4, 4), 0.02, -128)
    steps.append(
        Depthwise(
            **about("lite.depthwise", wide, "stem.conv1", line=13),
            weight=weights(3, 3, 4),
            pad=(1, 1, 1, 1),
            **factors(4),
        )
    )
    point = tensor("lite.pointwise", (4, 4, 4), 0.05, 3)
    steps.append(
        Conv(
            **about("lite.pointwise", point, "lite.depthwise", line=14),
            weight=weights(4, 1, 1, 4),
            table=np.clip(np.arange(-128, 128) // 2, -20, 127).astype(np.int8),
            **factors(4),
        )
    )
    added = tensor("lite.add", (4, 4, 4), 0.06, -5)
    steps.append(
        Add(**about("lite.add", added, "lite.pointwise", "stem.conv1", line=15), multipliers=(3413, 1365), shift=12)
    )
    small = tensor("pool", (2, 2, 4), 0.06, -5)
    steps.append(MaxPool(**about("pool", small, "lite.add", line=16), k=(2, 2), stride=(2, 2)))
    grown = tensor("up", (4, 4, 4), 0.06, -5)
    steps.append(Resize(**about("up", grown, "pool", line=17), factor=(2, 2)))
    both = tensor("both", (4, 4, 8), 0.06, -5)
    steps.append(Concat(**about("both", both, "up", "lite.add", line=18), tables=(None, None)))
    return Program(called("tiny"), tensors, tuple(steps), frame, {"map": (both,)})

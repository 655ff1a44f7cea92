"""The type of a tensor: its shape without the batch axis, and the dtype of its elements."""

from __future__ import annotations

import math
from dataclasses import dataclass

BITS = {"u5": 5, "u8": 8, "i8": 8, "u16": 16, "i16": 16, "i32": 32, "f16": 16, "bf16": 16, "f32": 32, "f64": 64}
"""Bits of one element of each dtype."""


@dataclass(frozen=True, slots=True)
class TensorType:
    """`shape` is (channels, height, width) for maps, (features,) for vectors; batch is never written. `dtype` is a
    key of BITS."""

    shape: tuple[int, ...]
    dtype: str = "f32"

    @property
    def is_map(self) -> bool:
        return len(self.shape) == 3

    @property
    def channels(self) -> int:
        return self.shape[0]

    @property
    def height(self) -> int:
        return self.shape[1]

    @property
    def width(self) -> int:
        return self.shape[2]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes of one tensor, elements packed to the bit."""
        return -(-self.elements * BITS[self.dtype] // 8)

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"

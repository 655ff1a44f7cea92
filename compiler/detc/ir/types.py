"""The type of a tensor: its shape without the batch axis, and the dtype of its elements."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TensorType:
    """`shape` is (channels, height, width) for maps, (features,) for vectors; batch is never written. `dtype`: u8, i8, f32 .."""

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

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"

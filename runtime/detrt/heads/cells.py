"""The cells of maps at several strides, as heads without anchors see them: one row each, map by map, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.errors import DetrtError

Floats = NDArray[np.float32]
Sizes = tuple[tuple[int, int], ...]


class Cells:
    """`corner` float32 [A, 2]: x, y of each cell's top left corner in pixels of the net's input; `stride` [A]: its side;
    `canvas`: width and height of the input.
    """

    def __init__(self, grids: Sizes, strides: tuple[int, ...], image: tuple[int, int]) -> None:
        rows = []
        for (height, width), stride in zip(grids, strides, strict=True):
            y, x = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
            rows.append(np.stack([x * stride, y * stride, np.full_like(x, stride)], axis=-1).reshape(-1, 3))
        table = np.concatenate(rows).astype(np.float32)
        self.corner: Floats = table[:, :2].copy()
        self.stride: Floats = table[:, 2].copy()
        self.corner.flags.writeable = self.stride.flags.writeable = False
        fits = all((-(-image[0] // s), -(-image[1] // s)) == g for g, s in zip(grids, strides, strict=True))
        finest = min(range(len(strides)), key=strides.__getitem__)
        height, width = image if fits else (side * strides[finest] for side in grids[finest])
        self.canvas = (int(width), int(height))

    def __len__(self) -> int:
        return len(self.stride)


@lru_cache(maxsize=64)
def _made(grids: Sizes, strides: tuple[int, ...], image: tuple[int, int]) -> Cells:
    return Cells(grids, strides, image)


def cells_of(grids: Sequence[tuple[int, int]], strides: Sequence[int], image: tuple[int, int]) -> Cells:
    """The cells of maps of these heights and widths; made once for each set of sizes.

    The canvas is `image` (height, width) if the maps are those of it, each side divided by the stride and rounded up;
    else (training at several sizes) the finest map times its stride. Raises DetrtError unless each map has a stride.
    """
    if len(grids) != len(strides):
        raise DetrtError(f"{len(grids)} maps for {len(strides)} strides", "model.heads.strides")
    return _made(tuple(grids), tuple(strides), image)


def check_strides(strides: Any, place: str) -> None:
    """Raises DetrtError unless these are whole numbers above 0, at least one."""
    if not strides or not all(isinstance(s, int) and 1 <= s <= 65_536 for s in strides):
        raise DetrtError(
            "`strides` is not a list of whole numbers above 0", f"{place}.strides", "for example [8, 16, 32]"
        )


def check_maps(shapes: Sequence[tuple[int, ...]], name: str, channels: int, place: str) -> None:
    """Raises DetrtError for a map of an output that has not these channels."""
    for index, shape in enumerate(shapes):
        if len(shape) != 3 or shape[0] != channels:
            raise DetrtError(
                f"the head expects {channels} channels of {name}[{index}], the model gives {tuple(shape)}", place
            )


def rows_of(maps: Sequence[Floats]) -> Floats:
    """[A, channels] of one picture's maps [channels, rows, columns]: a row a cell."""
    return np.concatenate([one.reshape(len(one), -1) for one in maps], axis=1).T

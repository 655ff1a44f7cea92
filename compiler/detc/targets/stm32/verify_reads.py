"""What the verifier knows of kernels: which rows and pixels they read for a pixel of their output (see detc_kernels.h)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from detc.targets.stm32.verify_memory import BrokenPlan, Memory, Plan

AHEAD = {"conv": 0, "depthwise": 1, "max_pool": 1, "average_pool": 1, "shuffle": 1, "space_to_depth": 1}
AHEAD |= dict.fromkeys(("add", "mul", "table", "channels"), 0)
"""Pixels that a kernel may have written beyond the one that it computes; the others may write in any order."""


def lines(memory: Memory, step: Plan, row: int) -> Iterator[tuple[str, int]]:
    """(input, row) of all that one row of the output is computed from."""
    for name, line, _ in pixels(memory, step, row, 0):
        yield name, line


def pixels(memory: Memory, step: Plan, row: int, column: int) -> Iterator[tuple[str, int, tuple[int, int]]]:
    """(input, row, columns) of all that one pixel is computed from. Of a kernel without pixels, all that it reads."""
    for name in step["inputs"]:
        height, width, _ = memory.shape(name)
        if "k" in step:
            gap = step.get("dilation", [1, 1])
            top, left = row * step["stride"][0] - step["pad"][0], column * step["stride"][1] - step["pad"][1]
            right = min(width, left + gap[1] * (step["k"][1] - 1) + 1)
            for tap in range(step["k"][0]):
                line = top + tap * gap[0]
                if 0 <= line < height and max(left, 0) < right:
                    yield name, line, (max(left, 0), right)
        elif step["kernel"] == "space_to_depth":
            block = step["block"]
            for line in range(row * block, (row + 1) * block):
                yield name, line, (column * block, (column + 1) * block)
        elif step["kernel"] == "resize" and not step["bilinear"]:
            yield name, row // step["factor"][0], (0, width)
        elif step["kernel"] in AHEAD or step["kernel"] == "concat":
            same = (height, width) == memory.shape(step["output"])[:2]
            yield (name, row, (column, column + 1)) if same else (name, 0, (0, 1))
        else:
            for line in range(height):
                yield name, line, (0, width)


@dataclass(frozen=True, slots=True)
class Stand:
    """Row r of an output stands on rows r // grain * stride - top and the `extent` - 1 that follow."""

    stride: int
    top: int
    extent: int
    grain: int

    def first(self, row: int) -> int:
        return max(row // self.grain * self.stride - self.top, 0)

    def end(self, rows: int, height: int) -> int:
        return 0 if rows == 0 else min(self.first_whole(rows - 1) + self.extent, height)

    def first_whole(self, row: int) -> int:
        return row // self.grain * self.stride - self.top


def stand_of(memory: Memory, step: Plan) -> Stand:
    """How the rows of a step of a stream stand on its inputs' rows."""
    kernel = step["kernel"]
    if "k" in step:
        gap = step.get("dilation", [1, 1])[0]
        return Stand(step["stride"][0], step["pad"][0], (step["k"][0] - 1) * gap + 1, 1)
    if kernel == "space_to_depth":
        return Stand(step["block"], 0, step["block"], 1)
    if kernel == "resize" and not step["bilinear"]:
        return Stand(1, 0, 1, step["factor"][0])
    if kernel not in ("add", "mul", "table", "concat", "channels", "shuffle"):
        raise BrokenPlan(f"`{step['name']}` is part of a stream, but its kernel does not go row by row")
    return Stand(1, 0, 1, 1)

"""The verifier of a plan: it executes the emitted offsets on a picture of the memory and trusts nothing of the planner.

Every byte carries a label of the tensor and row that wrote it; a byte that nobody wrote is 0xA5. A step must find the rows that
it reads as they were written, pixel by pixel while it writes its own; its scratch is overwritten before it and after it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from detc.diagnostics import Finding, Rule
from detc.semantics.program import Target
from detc.targets.stm32 import scratch

BROKEN_PLAN = Rule(
    "STM390",
    "error",
    """detc's own memory plan is wrong: {actual}

    The planner and this check are written apart on purpose. Your spec is not at fault.""",
    help="please report it with the spec",
)

FRESH = 0xA5
AHEAD = {"conv": 0, "depthwise": 1, "max_pool": 1, "average_pool": 1, "add": 0, "mul": 0, "table": 0, "channels": 0}
"""Pixels that a kernel may have written beyond the one that it computes (detc_kernels.h); the others may write in any order."""

Plan = dict[str, Any]


class _Broken(Exception):
    """The first promise that does not hold."""


def verify_plan(plan: Plan, target: Target | None = None, thorough: bool = False) -> tuple[Finding, ...]:
    """A finding for the first promise of a plan that does not hold; none for a plan that holds.

    `thorough` follows overlapping steps through every pixel; else through those of their first and last rows.
    """
    try:
        _Machine(plan, thorough).run()
    except _Broken as broken:
        return (BROKEN_PLAN(target.span if target else None, actual=str(broken)),)
    return ()


class _Machine:
    def __init__(self, plan: Plan, thorough: bool):
        self.plan, self.thorough = plan, thorough
        arena = plan["arena"]
        self.sizes = {pool["name"]: int(pool["bytes"]) for pool in arena["pools"]}
        self.memory = {name: bytearray([FRESH]) * size for name, size in self.sizes.items()}
        self.numbers = {name: number for number, name in enumerate(plan["tensors"])}

    # ---- what the plan says ------------------------------------------------------------------------------------------

    def shape(self, tensor: str) -> tuple[int, int, int]:
        """Height, width, channels."""
        found = self.plan["tensors"][tensor]["shape"]
        return (found[0], found[1], found[2]) if len(found) == 3 else (1, 1, math.prod(found))

    def root(self, tensor: str) -> str:
        seen = set()
        while tensor in self.plan["aliases"]:
            if tensor in seen:
                raise _Broken(f"`{tensor}` is an alias of itself")
            seen.add(tensor)
            tensor = self.plan["aliases"][tensor]
        return tensor

    def spot(self, entry: Plan, size: int, what: str) -> tuple[str, int]:
        """(memory, offset) of a piece that lies wholly in one memory, aligned."""
        pool, offset = entry["pool"], entry["offset"]
        if pool not in self.sizes:
            raise _Broken(f"{what} lies in `{pool}`, which is no memory")
        if offset < 0 or offset + size > self.sizes[pool]:
            raise _Broken(f"{what} lies at {offset} .. {offset + size} of {self.sizes[pool]} bytes of `{pool}`")
        if offset % scratch.ALIGNMENT:
            raise _Broken(f"{what} begins at {offset}, which is no multiple of {scratch.ALIGNMENT}")
        return pool, offset

    def place(self, tensor: str) -> tuple[str, int]:
        root = self.root(tensor)
        if root not in self.plan["arena"]["offsets"]:
            raise _Broken(f"`{root}` has no place")
        return self.spot(self.plan["arena"]["offsets"][root], math.prod(self.shape(root)), f"`{root}`")

    # ---- running -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        self.write(self.plan["input"])
        for step in self.plan["steps"]:
            self.step(step)
        for name in [tensor for tensors in self.plan["outputs"].values() for tensor in tensors]:
            self.check(name, "the end of the net")

    def label(self, tensor: str, row: int) -> int:
        """The byte that stands for a row of a tensor; never FRESH."""
        found = (self.numbers[self.root(tensor)] * 97 + row * 31) % 255
        return found if found < FRESH else found + 1

    def row(self, tensor: str, row: int) -> tuple[str, int, int]:
        """(memory, first byte, last byte + 1) of a row; an alias has the rows of what it stands for."""
        _, width, channels = self.shape(tensor)
        pool, offset = self.place(tensor)
        return pool, offset + row * width * channels, offset + (row + 1) * width * channels

    def write(self, tensor: str) -> None:
        for row in range(self.shape(self.root(tensor))[0]):
            pool, start, end = self.row(self.root(tensor), row)
            self.memory[pool][start:end] = bytes([self.label(tensor, row)]) * (end - start)

    def check(self, tensor: str, reader: str, row: int | None = None, columns: tuple[int, int] | None = None) -> None:
        """All of a tensor, a row of it, or some columns of a row must be as they were written."""
        root = self.root(tensor)
        for number in range(self.shape(root)[0]) if row is None else (row,):
            pool, start, end = self.row(root, number)
            if columns is not None:
                channels = self.shape(root)[2]
                start, end = start + columns[0] * channels, start + columns[1] * channels
            if self.memory[pool][start:end].count(self.label(root, number)) != end - start:
                raise _Broken(f"`{reader}` reads row {number} of `{root}`, but not all of it is there any more")

    def spoil(self, step: Plan) -> None:
        """Overwrites the scratch of a step."""
        need = self.scratch_need(step)
        entry = self.plan["arena"]["scratch"].get(step["name"])
        if entry is None:
            if need:
                raise _Broken(f"`{step['name']}` needs {need} bytes of scratch and has none")
            return
        if entry["bytes"] < need:
            raise _Broken(f"`{step['name']}` needs {need} bytes of scratch and has {entry['bytes']}")
        pool, offset = self.spot(entry, entry["bytes"], f"the scratch of `{step['name']}`")
        self.memory[pool][offset : offset + entry["bytes"]] = bytes([FRESH]) * entry["bytes"]

    def scratch_need(self, step: Plan) -> int:
        if step["kernel"] == "dense":
            return scratch.dense(math.prod(self.shape(step["inputs"][0])))
        channels = self.shape(step["inputs"][0])[2]
        if step["kernel"] == "depthwise":
            return scratch.depthwise(tuple(step["k"]), channels)
        if step["kernel"] == "conv":
            return scratch.conv(tuple(step["k"]), channels, step["groups"], tuple(step["pad"]))
        return 0

    def step(self, step: Plan) -> None:
        self.spoil(step)
        for name in step["inputs"]:
            self.check(name, step["name"])
        if self.ordered(step) and not self.disjoint(step):
            for row in range(self.shape(step["output"])[0]):
                self.compute(step, row)
        elif step["kernel"] == "table" and self.place(step["inputs"][0]) == self.place(step["output"]):
            self.write(step["output"])
        else:  # in any order: what it reads must outlive all that it writes
            self.write(step["output"])
            for name in step["inputs"]:
                self.check(name, step["name"])
        self.spoil(step)
        self.check(step["output"], step["name"])

    def ordered(self, step: Plan) -> bool:
        """Whether the kernel writes the pixels in order. One that reads a map as a vector has no pixels; it is held to disjoint
        bytes, or to number by number in place."""
        flat = [name for name in step["inputs"] if self.shape(name) != self.shape(self.root(name))]
        return step["kernel"] in AHEAD and step.get("groups", 1) == 1 and not flat

    def disjoint(self, step: Plan) -> bool:
        pool, start = self.place(step["output"])
        end = start + math.prod(self.shape(step["output"]))
        for name in step["inputs"]:
            other, first = self.place(name)
            if other == pool and first < end and start < first + math.prod(self.shape(name)):
                return False
        return True

    def compute(self, step: Plan, row: int) -> None:
        """One row of the output: all at once after its reads, or pixel by pixel."""
        rows, width, _ = self.shape(step["output"])
        pool, start, end = self.row(step["output"], row)
        label = self.label(step["output"], row)
        if not self.thorough and 0 < row < rows - 1:
            for name, line, _ in self.window(step, row, 0):
                self.check(name, step["name"], line)
            self.memory[pool][start:end] = bytes([label]) * (end - start)
            return
        base, painted = self.place(step["output"])[1], row * width
        for column in range(width):
            reach = min(row * width + column + AHEAD[step["kernel"]], rows * width)
            self.paint(step["output"], pool, base, painted, reach)
            painted = max(painted, reach)
            for name, line, columns in self.window(step, row, column):
                self.check(name, step["name"], line, columns)
        self.paint(step["output"], pool, base, painted, (row + 1) * width)

    def paint(self, tensor: str, pool: str, base: int, first: int, end: int) -> None:
        """Writes the pixels first .. end - 1, counted through all rows."""
        _, width, channels = self.shape(tensor)
        while first < end:
            row = first // width
            stop = min(end, (row + 1) * width)
            self.memory[pool][base + first * channels : base + stop * channels] = bytes([self.label(tensor, row)]) * (
                (stop - first) * channels
            )
            first = stop

    def window(self, step: Plan, row: int, column: int) -> Iterator[tuple[str, int, tuple[int, int]]]:
        """(input, row, columns) of all that one pixel is computed from."""
        for name in step["inputs"]:
            height, width, _ = self.shape(name)
            if "k" not in step:
                same = (height, width) == self.shape(step["output"])[:2]
                yield (name, row, (column, column + 1)) if same else (name, 0, (0, 1))
                continue
            gap = step.get("dilation", [1, 1])
            top, left = row * step["stride"][0] - step["pad"][0], column * step["stride"][1] - step["pad"][1]
            right = min(width, left + gap[1] * (step["k"][1] - 1) + 1)
            for tap in range(step["k"][0]):
                line = top + tap * gap[0]
                if 0 <= line < height and max(left, 0) < right:
                    yield name, line, (max(left, 0), right)

"""The verifier's picture of the memory: bytes with the label of what was written last, and where the plan says things lie."""

from __future__ import annotations

import math
from typing import Any

from detc.targets.stm32 import scratch

FRESH = 0xA5

Plan = dict[str, Any]


class BrokenPlan(Exception):
    """The first promise that does not hold."""


class Memory:
    """All memories of a plan. `held` are the windows that are open: tensor -> (memory, offset, rows, its first row there)."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.sizes = {pool["name"]: int(pool["bytes"]) for pool in plan["arena"]["pools"]}
        self.bytes = {
            pool["name"]: bytearray([FRESH]) * min(pool["bytes"], pool["used"]) for pool in plan["arena"]["pools"]
        }
        shapes = {name: tensor["shape"] for name, tensor in plan["tensors"].items()}
        self.shapes = {n: (s[0], s[1], s[2]) if len(s) == 3 else (1, 1, math.prod(s)) for n, s in shapes.items()}
        self.numbers = {name: number for number, name in enumerate(plan["tensors"])}
        self.held: dict[str, tuple[str, int, int, int]] = {}
        self.roots: dict[str, str] = {}
        self.spots: dict[str, tuple[str, int]] = {}

    # ---- what the plan says ------------------------------------------------------------------------------------------

    def shape(self, tensor: str) -> tuple[int, int, int]:
        """Height, width, channels."""
        return self.shapes[tensor]

    def root(self, tensor: str) -> str:
        if tensor not in self.roots:
            self.roots[tensor] = self._root(tensor)
        return self.roots[tensor]

    def _root(self, tensor: str) -> str:
        seen = [tensor]
        while seen[-1] in self.plan["aliases"]:
            seen.append(self.plan["aliases"][seen[-1]])
            if len(seen) > len(self.shapes):
                raise BrokenPlan(f"`{tensor}` is an alias of itself")
        return seen[-1]

    def spot(self, entry: Plan, size: int, what: str) -> tuple[str, int]:
        """(memory, offset) of a piece that lies wholly in one memory, aligned."""
        pool, offset = entry["pool"], entry["offset"]
        if pool not in self.sizes:
            raise BrokenPlan(f"{what} lies in `{pool}`, which is no memory")
        room = len(self.bytes[pool])
        if offset < 0 or offset + size > room:
            raise BrokenPlan(f"{what} lies at {offset} .. {offset + size} of {room} bytes of `{pool}`")
        if offset % scratch.ALIGNMENT:
            raise BrokenPlan(f"{what} begins at {offset}, which is no multiple of {scratch.ALIGNMENT}")
        return pool, offset

    def place(self, tensor: str) -> tuple[str, int]:
        root = self.root(tensor)
        if root in self.held:
            return self.held[root][:2]
        if root not in self.spots:
            if root not in self.plan["arena"]["offsets"]:
                raise BrokenPlan(f"`{root}` has no place")
            entry = self.plan["arena"]["offsets"][root]
            self.spots[root] = self.spot(entry, math.prod(self.shape(root)), f"`{root}`")
        return self.spots[root]

    def span(self, tensor: str) -> tuple[str, int, int]:
        """(memory, first byte, last byte + 1) of a tensor, or of its window."""
        (pool, offset), root = self.place(tensor), self.root(tensor)
        height, width, channels = self.shape(root)
        rows = self.held[root][2] if root in self.held else height
        return pool, offset, offset + rows * width * channels

    def row(self, tensor: str, row: int) -> tuple[str, int, int]:
        """(memory, first byte, last byte + 1) of a row."""
        _, width, channels = self.shape(tensor)
        pool, offset = self.place(tensor)
        if tensor in self.held:
            _, _, rows, first = self.held[tensor]
            if not first <= row < first + rows:
                raise BrokenPlan(f"row {row} of `{tensor}` is not in its window of {rows} rows from row {first}")
            row -= first
        return pool, offset + row * width * channels, offset + (row + 1) * width * channels

    # ---- windows -----------------------------------------------------------------------------------------------------

    def open(self, tensor: str, entry: Plan) -> None:
        _, width, channels = self.shape(tensor)
        pool, offset = self.spot(entry, entry["rows"] * width * channels, f"the window of `{tensor}`")
        self.held[tensor] = (pool, offset, entry["rows"], 0)

    def slide(self, tensor: str, keep: int, made: int, need: int) -> None:
        """Drops the rows before `keep` of those before `made`, and makes room up to row `need`."""
        pool, offset, rows, first = self.held[tensor]
        _, width, channels = self.shape(tensor)
        if keep > first:
            size = width * channels
            start, end = offset + (keep - first) * size, offset + (made - first) * size
            self.bytes[pool][offset : offset + end - start] = self.bytes[pool][start:end]
            first = keep
        if need - first > rows:
            raise BrokenPlan(f"`{tensor}` needs rows {first} .. {need - 1} at once in a window of {rows} rows")
        self.held[tensor] = (pool, offset, rows, first)

    def close(self, tensor: str) -> None:
        del self.held[tensor]

    # ---- labels ------------------------------------------------------------------------------------------------------

    def label(self, tensor: str, row: int) -> int:
        """The byte that stands for a row of a tensor; never FRESH."""
        found = (self.numbers[tensor] * 97 + row * 31) % 255
        return found if found < FRESH else found + 1

    def write(self, tensor: str) -> None:
        """All rows of a tensor; an alias has the rows of what it stands for."""
        root = self.root(tensor)
        for row in range(self.shape(root)[0]):
            self.write_row(root, row)

    def write_row(self, tensor: str, row: int) -> None:
        pool, start, end = self.row(tensor, row)
        self.bytes[pool][start:end] = bytes([self.label(tensor, row)]) * (end - start)

    def paint(self, tensor: str, first: int, end: int) -> None:
        """Writes the pixels first .. end - 1, counted through all rows."""
        _, width, channels = self.shape(tensor)
        while first < end:
            row, column = divmod(first, width)
            stop = min(end, (row + 1) * width)
            pool, start, _ = self.row(tensor, row)
            start += column * channels
            size = (stop - first) * channels
            self.bytes[pool][start : start + size] = bytes([self.label(tensor, row)]) * size
            first = stop

    def check(self, tensor: str, reader: str, row: int | None = None, columns: tuple[int, int] | None = None) -> None:
        """All of a tensor, a row of it, or some columns of a row must be as they were written."""
        root = self.root(tensor)
        for number in range(self.shape(root)[0]) if row is None else (row,):
            pool, start, end = self.row(root, number)
            if columns is not None:
                channels = self.shape(root)[2]
                start, end = start + columns[0] * channels, start + columns[1] * channels
            if self.bytes[pool].count(self.label(root, number), start, end) != end - start:
                raise BrokenPlan(f"`{reader}` reads row {number} of `{root}`, but not all of it is there any more")

    # ---- scratch -----------------------------------------------------------------------------------------------------

    def spoil(self, step: Plan) -> None:
        """Overwrites the scratch of a step."""
        need, name = self.scratch_need(step), step["name"]
        entry = self.plan["arena"]["scratch"].get(name)
        if entry is None or entry["bytes"] < need:
            if need:
                raise BrokenPlan(
                    f"`{name}` needs {need} bytes of scratch and has {entry['bytes'] if entry else 'none'}"
                )
            return
        pool, offset = self.spot(entry, entry["bytes"], f"the scratch of `{name}`")
        self.bytes[pool][offset : offset + entry["bytes"]] = bytes([FRESH]) * entry["bytes"]

    def scratch_need(self, step: Plan) -> int:
        if step["kernel"] == "dense":
            return scratch.dense(math.prod(self.shape(step["inputs"][0])))
        channels = self.shape(step["inputs"][0])[2]
        if step["kernel"] == "depthwise":
            return scratch.depthwise(tuple(step["k"]), channels)
        if step["kernel"] == "conv":
            return scratch.conv(tuple(step["k"]), channels, step["groups"], tuple(step["pad"]))
        return 0

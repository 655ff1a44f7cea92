"""Ops that change the size of a map without weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from detc.ir.op import Argument, Op, Problem, TorchCall
from detc.ir.ops.conv import Pair, Sides, both_sides, needs_map, resolve_padding, resolve_sides, square, window_size
from detc.ir.types import TensorType

MODES = ("nearest", "bilinear")


@dataclass(frozen=True)
class MaxPool(Op):
    """Maximum over windows; the stride is the window unless given.

    With `pad = same` it gives a value for every stride begun: an even window has one row more below the map and one column more
    to its right than on the other sides (`end`), as in darknet's and Keras' pools of 2x2. What pads never wins.
    """

    name: ClassVar[str] = "maxpool"
    channelwise: ClassVar[bool] = True
    arguments: ClassVar[tuple[Argument, ...]] = (
        Argument("k", "dims", (2, 2), keyword=False),
        Argument("s", "dims", None),
        Argument("pad", "pad", 0),
        Argument("ceil", "bool", False),
    )

    k: Pair = (2, 2)
    stride: Pair = (2, 2)
    pad: Pair = (0, 0)
    ceil: bool = False
    end: Pair = (0, 0)

    @classmethod
    def make(cls, inputs: Sequence[TensorType], given: dict[str, Any]) -> Op | Problem:
        k, stride = given["k"], given["s"] or given["k"]
        if given["pad"] == "same":  # has rounded up already: one more window would lie in the padding
            return cls(k, stride, resolve_padding("same", k, (1, 1)), False, ((k[0] - 1) % 2, (k[1] - 1) % 2))
        if problem := needs_map(inputs):
            return problem
        sides = resolve_sides(given["pad"], (inputs[0].height, inputs[0].width), k, stride, (1, 1))
        if isinstance(sides, Problem):
            return sides
        return cls(k, stride, sides[0], given["ceil"] and given["pad"] != "same_upper", sides[1])

    @property
    def sides(self) -> Sides:
        return both_sides(self.pad, self.end)

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        if problem := needs_map(inputs):
            return problem
        x = inputs[0]
        if min(*self.k, *self.stride) < 1 or min(*self.pad, *self.end) < 0:
            return Problem("needs a window and a stride of at least 1 and no negative padding")
        if 2 * self.pad[0] > self.k[0] or 2 * self.pad[1] > self.k[1]:
            return Problem(f"pads by {self.pad[0]}x{self.pad[1]}, more than half its {self.k[0]}x{self.k[1]} window")
        size = (x.height + self.end[0], x.width + self.end[1])
        height, width = window_size(size, self.k, self.stride, self.pad, ceil=self.ceil)
        if height < 1 or width < 1:
            return Problem(f"has a {self.k[0]}x{self.k[1]} window that does not fit into {x.height}x{x.width}")
        return TensorType((x.channels, height, width))

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        args: list[tuple[str, Any]] = [("", square(self.k))]
        if self.stride != self.k:
            args.append(("stride", square(self.stride)))
        if self.pad != (0, 0):
            args.append(("padding", square(self.pad)))
        if self.ceil:
            args.append(("ceil_mode", True))
        if self.end == (0, 0):
            return TorchCall("nn.MaxPool2d", tuple(args))
        if self.end != (1, 1):
            args.append(("end", self.end))
        return TorchCall("PaddedMaxPool2d", tuple(args))

    def row(self) -> dict[str, Any]:
        return {**super().row(), "kernel": list(self.k), "stride": list(self.stride), "padding": list(self.pad)}


@dataclass(frozen=True)
class AvgPool(Op):
    """Mean over windows, or over the whole map with `global = true` (the map becomes 1x1). What pads counts as zeros."""

    name: ClassVar[str] = "avgpool"
    channelwise: ClassVar[bool] = True
    arguments: ClassVar[tuple[Argument, ...]] = (
        Argument("k", "dims", (2, 2), keyword=False),
        Argument("s", "dims", None),
        Argument("pad", "pad", 0),
        Argument("global", "bool", False),
    )

    k: Pair | None = (2, 2)
    stride: Pair = (2, 2)
    pad: Pair = (0, 0)

    @classmethod
    def make(cls, inputs: Sequence[TensorType], given: dict[str, Any]) -> Op | Problem:
        if given["global"]:
            return cls(None)
        k, pad = given["k"], given["pad"]
        if pad == "same_upper" or (isinstance(pad, tuple) and len(pad) == 4):
            return Problem("pads its sides differently", help="put `pad([..])` before it")
        return cls(k, given["s"] or k, resolve_padding(pad, k, (1, 1)))

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        if problem := needs_map(inputs):
            return problem
        if self.k is None:
            return TensorType((inputs[0].channels, 1, 1))
        return MaxPool(self.k, self.stride, self.pad).infer(inputs)

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        if self.k is None:
            return TorchCall("nn.AdaptiveAvgPool2d", (("", 1),))
        return TorchCall("nn.AvgPool2d", MaxPool(self.k, self.stride, self.pad).torch(inputs).args)

    def row(self) -> dict[str, Any]:
        if self.k is None:
            return super().row()
        return MaxPool(self.k, self.stride, self.pad).row()


@dataclass(frozen=True)
class Pad(Op):
    """A border of zeros: `pad(1)` on every side, `pad(1x2)` rows and columns, `pad([0, 0, 1, 1])` top, left, bottom, right."""

    name: ClassVar[str] = "pad"
    channelwise: ClassVar[bool] = True
    arguments: ClassVar[tuple[Argument, ...]] = (Argument("sides", "pad", keyword=False),)

    sides: Sides

    @classmethod
    def make(cls, inputs: Sequence[TensorType], given: dict[str, Any]) -> Op | Problem:
        sides = given["sides"]
        if isinstance(sides, str):
            return Problem(f"needs numbers, not `{sides}`", help="write `pad(1)` or `pad([top, left, bottom, right])`")
        if not isinstance(sides, tuple):
            sides = (sides, sides)
        return cls(sides if len(sides) == 4 else (*sides, *sides))

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        if problem := needs_map(inputs):
            return problem
        if min(self.sides) < 0:
            return Problem("needs no negative padding")
        top, left, bottom, right = self.sides
        x = inputs[0]
        return TensorType((x.channels, x.height + top + bottom, x.width + left + right))

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        top, left, bottom, right = self.sides
        return TorchCall("F.pad", (("", (left, right, top, bottom)),), is_module=False)

    def row(self) -> dict[str, Any]:
        return {**super().row(), "padding": list(self.sides)}


@dataclass(frozen=True)
class SamplePool(Op):
    """Keeps the top-left value of each window: x[::2, ::2] for 2x2."""

    name: ClassVar[str] = "samplepool"
    channelwise: ClassVar[bool] = True
    arguments: ClassVar[tuple[Argument, ...]] = (Argument("k", "dims", (2, 2), keyword=False),)

    k: Pair = (2, 2)

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        if problem := needs_map(inputs):
            return problem
        if min(self.k) < 1:
            return Problem("needs a window of at least 1x1")
        x = inputs[0]
        return TensorType((x.channels, -(-x.height // self.k[0]), -(-x.width // self.k[1])))

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        # A 1x1 maximum with a stride is the value at the top left of each window.
        return TorchCall("nn.MaxPool2d", (("", 1), ("stride", square(self.k))))

    def row(self) -> dict[str, Any]:
        return {**super().row(), "kernel": list(self.k), "stride": list(self.k), "padding": [0, 0]}


@dataclass(frozen=True)
class Upsample(Op):
    """Enlarges a map by a whole factor."""

    name: ClassVar[str] = "upsample"
    channelwise: ClassVar[bool] = True
    arguments: ClassVar[tuple[Argument, ...]] = (
        Argument("factor", "dims", (2, 2), keyword=False),
        Argument("mode", "name", "nearest", choices=MODES),
    )

    factor: Pair = (2, 2)
    mode: str = "nearest"

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        if problem := needs_map(inputs):
            return problem
        x = inputs[0]
        if min(self.factor) < 1:
            return Problem("needs a factor of at least 1")
        return TensorType((x.channels, x.height * self.factor[0], x.width * self.factor[1]))

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        mode = () if self.mode == "nearest" else (("mode", self.mode),)
        return TorchCall("nn.Upsample", (("scale_factor", square(self.factor)), *mode))


OPS = (MaxPool, AvgPool, Pad, SamplePool, Upsample)

"""Ops that join tensors, cut them or give them another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from detc.ir.op import Argument, Op, Problem, TorchCall
from detc.ir.ops.conv import needs_map
from detc.ir.types import TensorType


@dataclass(frozen=True)
class Add(Op):
    """Elementwise sum: written `a + b`."""

    name: ClassVar[str] = "add"
    channelwise: ClassVar[bool] = True
    arity: ClassVar[int | None] = 2

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        if inputs[0].shape != inputs[1].shape:
            return Problem(f"joins {inputs[0]} and {inputs[1]}; both sides need one shape")
        return TensorType(inputs[0].shape)

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        return TorchCall("+", is_module=False)


@dataclass(frozen=True)
class Mul(Op):
    """Elementwise product, written `a * b`; a [c, 1, 1] tensor scales each channel."""

    name: ClassVar[str] = "mul"
    channelwise: ClassVar[bool] = True
    arity: ClassVar[int | None] = 2

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        a, b = sorted(inputs, key=lambda t: -t.elements)
        if a.shape != b.shape and b.shape != (a.channels, 1, 1):
            return Problem(
                f"multiplies {inputs[0]} and {inputs[1]}; it needs one shape, or [channels, 1, 1] on one side"
            )
        return TensorType(a.shape)

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        return TorchCall("*", is_module=False)


@dataclass(frozen=True)
class Concat(Op):
    """Channels of all inputs one after another; vectors likewise."""

    name: ClassVar[str] = "concat"
    arity: ClassVar[int | None] = None

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        if not inputs:
            return Problem("needs at least one tensor")
        if any(t.shape[1:] != inputs[0].shape[1:] for t in inputs):
            return Problem(
                f"joins maps of different sizes: {', '.join(map(str, inputs))}",
                "an image size that all strides divide (a multiple of 32 or 64) gives maps that meet again",
            )
        return TensorType((sum(t.shape[0] for t in inputs), *inputs[0].shape[1:]))

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        return TorchCall("torch.cat", (("dim", 1),), is_module=False)


@dataclass(frozen=True)
class Channels(Op):
    """Channels `first` to `last`, both included, counted from 0."""

    name: ClassVar[str] = "channels"
    arguments: ClassVar[tuple[Argument, ...]] = (
        Argument("first", "int", keyword=False),
        Argument("last", "int", keyword=False),
    )

    first: int
    last: int

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        n = inputs[0].shape[0]
        if not 0 <= self.first <= self.last < n:
            return Problem(f"takes channels {self.first} .. {self.last} of {n}")
        return TensorType((self.last - self.first + 1, *inputs[0].shape[1:]))

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        args = (("dim", 1), ("start", self.first), ("length", self.last - self.first + 1))
        return TorchCall("torch.narrow", args, is_module=False)


@dataclass(frozen=True)
class Shuffle(Op):
    """Channel shuffle: channels dealt out over `groups` in turn."""

    name: ClassVar[str] = "shuffle"
    arguments: ClassVar[tuple[Argument, ...]] = (Argument("groups", "int", 2, keyword=False),)

    groups: int = 2

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        if problem := needs_map(inputs):
            return problem
        if self.groups < 1 or inputs[0].channels % self.groups:
            return Problem(f"deals {inputs[0].channels} channels out over {self.groups} groups")
        return TensorType(inputs[0].shape)

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        return TorchCall("nn.ChannelShuffle", (("", self.groups),))


@dataclass(frozen=True)
class SpaceToDepth(Op):
    """Each `block` x `block` square of the map as that many groups of channels: all channels of its top left value, then
    those of the others, going down first (`columns`: top left, bottom left, top right, bottom right, as YOLOX's Focus
    does; Megvii-BaseDetection/YOLOX@6ddff48) or to the right first (`rows`, as ONNX's SpaceToDepth does)."""

    name: ClassVar[str] = "space_to_depth"
    arguments: ClassVar[tuple[Argument, ...]] = (
        Argument("block", "int", 2, keyword=False),
        Argument("order", "name", "rows", choices=("rows", "columns")),
    )

    block: int = 2
    order: str = "rows"

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        if problem := needs_map(inputs):
            return problem
        x, n = inputs[0], self.block
        if n < 1:
            return Problem("needs a block of at least 1")
        if x.height % n or x.width % n:
            return Problem(f"cuts {x.height}x{x.width} into blocks of {n}x{n}, which does not come out even")
        return TensorType((x.channels * n * n, x.height // n, x.width // n))

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        order = () if self.order == "rows" else (("order", self.order),)
        return TorchCall("space_to_depth", (("block", self.block), *order), is_module=False)


@dataclass(frozen=True)
class Flatten(Op):
    """A map as one vector, channel by channel."""

    name: ClassVar[str] = "flatten"

    def infer(self, inputs: Sequence[TensorType]) -> TensorType:
        return TensorType((inputs[0].elements,))

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        return TorchCall("nn.Flatten")


@dataclass(frozen=True)
class Reshape(Op):
    """The same values in another shape; the batch axis stays."""

    name: ClassVar[str] = "reshape"
    arguments: ClassVar[tuple[Argument, ...]] = (Argument("shape", "expr", keyword=False),)

    shape: tuple[int, ...]

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        if not isinstance(self.shape, tuple) or not self.shape or not all(type(n) is int and n > 0 for n in self.shape):
            return Problem("needs a list of positive whole numbers, as in `reshape([30, 14, 14])`")
        if math.prod(self.shape) != inputs[0].elements:
            return Problem(f"gives {inputs[0]} ({inputs[0].elements} values) the shape {list(self.shape)}")
        return TensorType(self.shape)

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        return TorchCall("nn.Unflatten" if len(inputs[0].shape) == 1 else "torch.reshape",
                         (("", 1), ("", self.shape)) if len(inputs[0].shape) == 1 else (("", (-1, *self.shape)),),
                         is_module=len(inputs[0].shape) == 1)  # fmt: skip


@dataclass(frozen=True)
class Identity(Op):
    """What comes in goes out: for a branch that a parameter switches off."""

    name: ClassVar[str] = "identity"
    channelwise: ClassVar[bool] = True

    def infer(self, inputs: Sequence[TensorType]) -> TensorType:
        return TensorType(inputs[0].shape, inputs[0].dtype)

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        return TorchCall("nn.Identity")


OPS = (Add, Mul, Concat, Channels, Shuffle, SpaceToDepth, Flatten, Reshape, Identity)

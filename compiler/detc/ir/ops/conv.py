"""Convolutions and the fully connected layer: the ops that multiply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from detc.ir.op import Argument, Op, Problem, TorchCall
from detc.ir.types import TensorType

Pair = tuple[int, int]
Sides = tuple[int, int, int, int]
"""Top, left, bottom, right."""


def needs_map(inputs: Sequence[TensorType]) -> Problem | None:
    """The problem of an op that works on [channels, height, width], or None."""
    if inputs[0].is_map:
        return None
    return Problem(f"needs a map [channels, height, width], got {inputs[0]}")


def resolve_padding(pad: Any, k: Pair, dilation: Pair) -> Pair:
    """(rows, columns) on each side: `same` is half the dilated kernel, `valid` is none."""
    if pad == "same":
        return (dilation[0] * (k[0] - 1) // 2, dilation[1] * (k[1] - 1) // 2)
    if pad == "valid":
        return (0, 0)
    return pad if isinstance(pad, tuple) else (pad, pad)


def resolve_sides(pad: Any, size: Pair, k: Pair, stride: Pair, dilation: Pair) -> tuple[Pair, Pair] | Problem:
    """(rows, columns) of padding on each side, and how many more lie below the map and to its right.

    `same_upper` is ONNX's SAME_UPPER, which Keras and TensorFlow call SAME: a value for every stride begun, of all the padding
    that this takes half (rounded down) before the map. A list is [top, left, bottom, right].
    """
    if pad == "same_upper":
        windows = [gap * (n - 1) + 1 for n, gap in zip(k, dilation, strict=True)]
        counts = [-(-n // max(step, 1)) for n, step in zip(size, stride, strict=True)]
        total = [max(0, (c - 1) * s + w - n) for c, s, w, n in zip(counts, stride, windows, size, strict=True)]
        pad = (total[0] // 2, total[1] // 2, -(-total[0] // 2), -(-total[1] // 2))
    if isinstance(pad, tuple) and len(pad) == 4:
        top, left, bottom, right = pad
        if bottom < top or right < left:
            return Problem("pads more above or to the left than on the other side", help="put `pad([..])` before it")
        return (top, left), (bottom - top, right - left)
    return resolve_padding(pad, k, dilation), (0, 0)


def both_sides(pad: Pair, end: Pair) -> Sides:
    """(top, left, bottom, right) of what pads each side, and what lies below and to the right besides."""
    return (*pad, pad[0] + end[0], pad[1] + end[1])


def window_size(size: Pair, k: Pair, stride: Pair, pad: Pair, dilation: Pair = (1, 1), ceil: bool = False) -> Pair:
    """Height and width after a sliding window, torch's rule; with `ceil` no window starts in the padding behind the
    map."""
    result = []
    for n, window, step, margin, gap in zip(size, k, stride, pad, dilation, strict=True):
        room = n + 2 * margin - gap * (window - 1) - 1
        count = (-(-room // step) if ceil else room // step) + 1
        if ceil and (count - 1) * step >= n + margin:
            count -= 1
        result.append(count)
    return (result[0], result[1])


FINEST = 4096
"""The finest scale of `fixed` weights: the grid of the messages that they multiply (lava-dl 0.6.0, slayer's `s_scale`)."""


def _unfit_weights(weights: tuple[Any, ...] | None, weight_norm: bool, gain: float) -> Problem | None:
    """The problem of a layer's scheme of weights, its weight norm and the gain of that, or None.

    A weight that is `fixed(bits, scale)` is a whole number over `scale`; 8 bits with their sign hold [-256, 254] in even steps
    (lava-dl's quantize_8bit). What has more bits, or a scale that no shift gives, no device holds.
    """
    if gain != 1 and not weight_norm:
        return Problem("has a gain, but no weight norm", help="add `weight_norm = true`")
    if gain <= 0:
        return Problem(f"has gain = {gain:g}; a gain lies above 0")
    if weights is None or weights[0] != "fixed":
        return None
    bits, scale = (*weights[1:], 1)[:2]
    fix = "write `fixed(8 bits, scale = 64)`"
    if not 1 <= bits <= 8:
        return Problem(f"has weights of {bits} bits; `fixed` weights have 1 .. 8", help=fix)
    if not 1 <= scale <= FINEST or scale != int(scale) or int(scale) & (int(scale) - 1):
        return Problem(f"has weights with scale = {scale:g}; a scale is a power of two of 1 .. {FINEST}", help=fix)
    return None


_AS_GIVEN = ("channels", "k", "dilation", "groups", "bias", "weights", "init", "weight_norm")
"""Arguments of a Conv that are its attributes under the same name."""


@dataclass(frozen=True)
class Conv(Op):
    """2-D convolution with zero padding: `pad` rows and columns on each side, and `end` more below the map and to its right
    (Keras' padding at stride 2). `weights` is the scheme that a target stores them in, such as ("masked", 3).

    With `weight_norm` the weights are a direction and a length an output channel (weight_v, weight_g; Salimans and Kingma,
    2016), `gain` times as long as torch begins them. `batch_norm` and `activation` are filled by passes only: the folded
    BN layer's name, and the fused activation (name, *arguments).
    """

    name: ClassVar[str] = "conv"
    arguments: ClassVar[tuple[Argument, ...]] = (
        Argument("channels", "int", keyword=False),
        Argument("k", "dims", (3, 3), keyword=False),
        Argument("s", "dims", (1, 1)),
        Argument("pad", "pad", "same"),
        Argument("dilation", "dims", (1, 1)),
        Argument("groups", "int", 1),
        Argument("bias", "bool", True),
        Argument("weights", "scheme", None),
        Argument("init", "init", None),
        Argument("weight_norm", "bool", False),
        Argument("gain", "float", 1.0),
    )

    channels: int
    k: Pair = (3, 3)
    stride: Pair = (1, 1)
    pad: Pair = (1, 1)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True
    weights: tuple[Any, ...] | None = None
    init: tuple[Any, ...] | None = None
    batch_norm: str = ""
    activation: tuple[Any, ...] | None = None
    weight_norm: bool = False
    gain: float = 1.0
    end: Pair = (0, 0)

    @classmethod
    def make(cls, inputs: Sequence[TensorType], given: dict[str, Any]) -> Op | Problem:
        if problem := needs_map(inputs):
            return problem
        size = (inputs[0].height, inputs[0].width)
        sides = resolve_sides(given["pad"], size, given["k"], given["s"], given["dilation"])
        if isinstance(sides, Problem):
            return sides
        fixed = {key: given[key] for key in _AS_GIVEN}
        return cls(**fixed, gain=float(given["gain"]), stride=given["s"], pad=sides[0], end=sides[1])

    @property
    def sides(self) -> Sides:
        return both_sides(self.pad, self.end)

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        if problem := needs_map(inputs):
            return problem
        x = inputs[0]
        if self.channels < 1:
            return Problem(f"has {self.channels} output channels; it needs at least 1")
        if min(*self.k, *self.stride, *self.dilation, self.groups) < 1 or min(*self.pad, *self.end) < 0:
            return Problem("needs kernel, stride, dilation and groups of at least 1 and no negative padding")
        if problem := _unfit_weights(self.weights, self.weight_norm, self.gain):
            return problem
        if self.end != (0, 0) and self.weight_norm:
            return Problem("has a weight norm and pads its sides differently", help="put `pad([..])` before it")
        if x.channels % self.groups or self.channels % self.groups:
            return Problem(
                f"has groups = {self.groups}, which does not divide {x.channels} input and {self.channels} output channels"
            )
        size = (x.height + self.end[0], x.width + self.end[1])
        height, width = window_size(size, self.k, self.stride, self.pad, self.dilation)
        if height < 1 or width < 1:
            return Problem(f"has a {self.k[0]}x{self.k[1]} window that does not fit into {x.height}x{x.width}")
        return TensorType((self.channels, height, width))

    def weight_shape(self, inputs: Sequence[TensorType]) -> tuple[int, int, int, int]:
        """Output channels, input channels a group, rows, columns."""
        return (self.channels, inputs[0].channels // self.groups, *self.k)

    def params(self, inputs: Sequence[TensorType]) -> int:
        out, per_group, rows, columns = self.weight_shape(inputs)
        return out * per_group * rows * columns + out * (self.bias + self.weight_norm)

    def tensors(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        filters = ("out", "in", "", "")
        parts = (
            (("weight_v", filters), ("weight_g", ("out", "", "", ""))) if self.weight_norm else (("weight", filters),)
        )
        return (*parts, *((("bias", ("out",)),) if self.bias else ()))

    def macs(self, inputs: Sequence[TensorType], output: TensorType) -> int:
        _, per_group, rows, columns = self.weight_shape(inputs)
        return output.elements * per_group * rows * columns

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        args: list[tuple[str, Any]] = [("", inputs[0].channels), ("", self.channels), ("", square(self.k))]
        for keyword, value, default in (
            ("stride", square(self.stride), 1),
            ("padding", square(self.pad), 0),
            ("dilation", square(self.dilation), 1),
            ("groups", self.groups, 1),
            ("bias", self.bias, True),
            ("gain", self.gain, 1.0),
        ):
            if value != default:
                args.append((keyword, value))
        if self.end not in ((0, 0), (1, 1)):
            args.append(("end", self.end))
        padded = "nn.Conv2d" if self.end == (0, 0) else "PaddedConv2d"
        return TorchCall("WeightNormConv2d" if self.weight_norm else padded, tuple(args))

    def row(self) -> dict[str, Any]:
        return {
            "kernel": list(self.k),
            "stride": list(self.stride),
            "padding": list(self.pad if self.end == (0, 0) else self.sides),
            "groups": self.groups,
            "bias": self.bias,
        }


@dataclass(frozen=True)
class Depthwise(Op):
    """`depthwise(3x3)`: a convolution with one group a channel. Only a spelling: what it makes is a Conv."""

    name: ClassVar[str] = "depthwise"
    arguments: ClassVar[tuple[Argument, ...]] = (
        Argument("k", "dims", (3, 3), keyword=False),
        *(a for a in Conv.arguments if a.name not in ("channels", "k", "groups")),
    )

    @classmethod
    def make(cls, inputs: Sequence[TensorType], given: dict[str, Any]) -> Op | Problem:
        if problem := needs_map(inputs):
            return problem
        return Conv.make(inputs, {**given, "channels": inputs[0].channels, "groups": inputs[0].channels})


@dataclass(frozen=True)
class Linear(Op):
    """Fully connected layer on a vector. `weights`, `weight_norm` and `gain` are as those of a Conv."""

    name: ClassVar[str] = "linear"
    arguments: ClassVar[tuple[Argument, ...]] = (
        Argument("features", "int", keyword=False),
        Argument("bias", "bool", True),
        Argument("init", "init", None),
        Argument("weights", "scheme", None),
        Argument("weight_norm", "bool", False),
        Argument("gain", "float", 1.0),
    )

    features: int
    bias: bool = True
    init: tuple[Any, ...] | None = None
    activation: tuple[Any, ...] | None = None
    weights: tuple[Any, ...] | None = None
    weight_norm: bool = False
    gain: float = 1.0

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        if len(inputs[0].shape) != 1:
            return Problem(f"needs a vector, got {inputs[0]}", help="put `|> flatten` before it")
        if self.features < 1:
            return Problem(f"has {self.features} features; it needs at least 1")
        return _unfit_weights(self.weights, self.weight_norm, self.gain) or TensorType((self.features,))

    def params(self, inputs: Sequence[TensorType]) -> int:
        return self.features * (inputs[0].elements + self.bias + self.weight_norm)

    def tensors(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        filters = ("out", "in")
        parts = (("weight_v", filters), ("weight_g", ("out", ""))) if self.weight_norm else (("weight", filters),)
        return (*parts, *((("bias", ("out",)),) if self.bias else ()))

    def macs(self, inputs: Sequence[TensorType], output: TensorType) -> int:
        return self.features * inputs[0].elements

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        bias = () if self.bias else (("bias", False),)
        gain = () if self.gain == 1 else (("gain", self.gain),)
        callee = "WeightNormLinear" if self.weight_norm else "nn.Linear"
        return TorchCall(callee, (("", inputs[0].elements), ("", self.features), *bias, *gain))

    def row(self) -> dict[str, Any]:
        return {**super().row(), "bias": self.bias}


def square(pair: Pair) -> int | Pair:
    """A pair as a person writes it in torch: one number where both are equal."""
    return pair[0] if pair[0] == pair[1] else pair


def with_activation(op: Conv | Linear, activation: tuple[Any, ...]) -> Conv | Linear:
    """The same layer with an activation fused behind it."""
    return replace(op, activation=activation)


OPS = (Conv, Depthwise, Linear)

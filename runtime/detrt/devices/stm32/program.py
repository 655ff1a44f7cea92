"""A quantised network as a list of kernels: what the simulator runs, what the C code is printed from, what ONNX is written from.

Tensors are int8 and lie in memory as [height, width, channels] (maps) or [features] (vectors), without a batch axis. Every step
writes one tensor that no other step writes. `low` and `high` are what a step's output is held to: the range of int8, or a
narrower one that is its ReLU or ReLU6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from detrt.devices.stm32.arithmetic import HIGH, LOW, Int8, Int32, Quant, Rescale

Pair = tuple[int, int]
Sides = tuple[int, int, int, int]
"""Top, left, bottom, right."""


@dataclass(frozen=True, slots=True)
class Tensor:
    name: str
    shape: tuple[int, ...]
    quant: Quant

    @property
    def bytes(self) -> int:
        count = 1
        for size in self.shape:
            count *= size
        return count


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Step:
    """`name` is the layer's name in the spec, `where` the spec's line ("mine.det:20"); `inputs` and `output` name tensors."""

    name: str
    inputs: tuple[str, ...]
    output: str
    where: str = ""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Conv(Step):
    """q = table[clamp(zero_out + rescale(bias + sum of weight * (x - zero_in)))]; what pads is zero_in.

    `weight` int8 [out, rows, columns, in / groups], `bias` int32 [out], `rescale` [out]; `table` int8 [256], indexed by q + 128,
    is an activation other than ReLU and ReLU6, or None. `low` and `high` hold the number before the table, whose Quant is
    `before`: with a table, zero_out is `before.zero`.
    """

    weight: Int8
    bias: Int32
    rescale: Rescale
    stride: Pair = (1, 1)
    pad: Sides = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    low: int = LOW
    high: int = HIGH
    table: Int8 | None = None
    before: Quant | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Depthwise(Step):
    """A Conv with one filter a channel: `weight` int8 [rows, columns, channels]."""

    weight: Int8
    bias: Int32
    rescale: Rescale
    stride: Pair = (1, 1)
    pad: Sides = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    low: int = LOW
    high: int = HIGH
    table: Int8 | None = None
    before: Quant | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Dense(Step):
    """`weight` int8 [out, in], in the order in which the input lies in memory; the rest as in Conv."""

    weight: Int8
    bias: Int32
    rescale: Rescale
    low: int = LOW
    high: int = HIGH
    table: Int8 | None = None
    before: Quant | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MaxPool(Step):
    """The largest number of each window; what pads never wins. Input and output share their Quant."""

    k: Pair
    stride: Pair
    pad: Sides = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AveragePool(Step):
    """q = clamp(zero_out + rescale(sum of (x - zero_in))), the window's count being part of the factor.

    What pads adds nothing and counts. A mean over the whole map is a window as large as the map.
    """

    k: Pair
    stride: Pair
    rescale: Rescale
    pad: Sides = (0, 0, 0, 0)
    low: int = LOW
    high: int = HIGH


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Add(Step):
    """q = clamp(zero_out + ((x - zero_x) * multipliers[0] + (y - zero_y) * multipliers[1] + 2^(shift - 1)) >> shift).

    Both multipliers together stay below 2^23, and 255 times that plus 2^(shift - 1) below 2^31: the sum fits 32 bits. `shift`
    lies in 1 .. 31. `table` and `before` as in Conv.
    """

    multipliers: Pair
    shift: int
    low: int = LOW
    high: int = HIGH
    table: Int8 | None = None
    before: Quant | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Mul(Step):
    """q = clamp(zero_out + rescale((x - zero_x) * (y - zero_y))); y has x's shape, or [1, 1, channels].

    `table` and `before` as in Conv.
    """

    rescale: Rescale
    low: int = LOW
    high: int = HIGH
    table: Int8 | None = None
    before: Quant | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Concat(Step):
    """Channels one behind the other. `tables` bring an input to the output's Quant: int8 [256], or None where it has it."""

    tables: tuple[Int8 | None, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Table(Step):
    """q = table[x + 128]: any function of one number."""

    table: Int8


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Resize(Step):
    """Every number `factor` = (rows, columns) times; `bilinear`: see `kernels.bilinear`. Input and output share their Quant."""

    factor: Pair
    bilinear: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Channels(Step):
    """The channels first, first + every, .. of the input, `count` of them."""

    first: int
    count: int
    every: int = 1


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Shuffle(Step):
    """Channels [groups, n] as [n, groups]."""

    groups: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SpaceToDepth(Step):
    """Blocks of block x block pixels as channels; `order` lists (row, column) of the pixels in the order of their channels."""

    block: int
    order: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pad(Step):
    """A border of `zero`s."""

    pad: Sides


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Reorder(Step):
    """The numbers of the input in the order of its axes `axes`: (2, 0, 1) lays a map out as [channels, height, width]."""

    axes: tuple[int, ...]


def sum_quant(step: Step, output: Quant) -> Quant:
    """The Quant that the sum of a step is brought to: that before its table, or the output's."""
    before: Quant | None = getattr(step, "before", None)
    return output if before is None else before


@dataclass(frozen=True, slots=True)
class Program:
    """Steps in the order in which they run. `outputs` are tensors by name of the model's output, in its order.

    `aliases` maps a tensor to the one whose bytes it is, in another shape (a flattened map); steps name either.
    """

    name: str
    tensors: Mapping[str, Tensor]
    steps: tuple[Step, ...]
    input: str
    outputs: Mapping[str, tuple[str, ...]]
    aliases: Mapping[str, str] = field(default_factory=dict)

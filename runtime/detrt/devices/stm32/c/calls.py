"""A step of a program as the call of its kernel: the kernel's parameters, the constant arrays they point to, and words for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.devices.stm32.arithmetic import Int8, Int32, Rescale
from detrt.devices.stm32.c.spelling import braces, map_shape, members, one_rescale, shape, window
from detrt.devices.stm32.c.weights_layout import folded_bias, narrow, paired
from detrt.devices.stm32.program import (
    Add,
    AveragePool,
    Channels,
    Concat,
    Conv,
    Dense,
    Depthwise,
    MaxPool,
    Mul,
    Pad,
    Program,
    Reorder,
    Resize,
    Shuffle,
    SpaceToDepth,
    Step,
    Table,
    Tensor,
    sum_quant,
)


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """A constant array of network_weights.c: LAYER_SUFFIX."""

    suffix: str
    values: npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """`kernel` is called as detc_KERNEL with a detc_KERNEL_params of `fields`, a line each; `arrays` and `locals` are what they
    name. `scratch` is an expression of detc_kernels.h, "" for none. `words` says what is computed; `macs` counts products.
    """

    kernel: str
    words: str
    fields: tuple[str, ...]
    arrays: tuple[Array, ...] = ()
    scratch: str = ""
    locals: tuple[str, ...] = ()
    macs: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """Where a step stands: the C name of its layer, and its tensors."""

    name: str
    inputs: tuple[Tensor, ...]
    output: Tensor

    @property
    def zeros(self) -> tuple[int, ...]:
        return tuple(tensor.quant.zero for tensor in self.inputs)

    def map_members(self) -> str:
        return members(input=shape(self.inputs[0]), output=shape(self.output))

    def pixel_members(self, which: Tensor) -> str:
        height, width, channels = map_shape(which)
        return members(pixels=height * width, channels=channels)

    def end_members(self, step: Any) -> str:
        """The clamp, the zero and the table behind the sums."""
        table = 0 if getattr(step, "table", None) is None else f"{self.name}_table"
        return (
            ".to = "
            + braces(
                [members(zero=sum_quant(step, self.output.quant).zero, low=step.low, high=step.high, table=table)[:-1]]
            )
            + ","
        )

    def weighted_members(self, step: Any) -> tuple[str, ...]:
        left = f"{self.name}_left" if step.rescale.left.any() else 0
        scaling = braces([f"{self.name}_multiplier", left, f"{self.name}_right"])
        return (
            members(weights=f"{self.name}_weights", bias=f"{self.name}_bias"),
            members(rescale=scaling),
            self.end_members(step),
        )


def call_of(program: Program, step: Step, name: str) -> Call:
    """The call that computes `step`, whose layer has the C name `name`, as the simulator does."""
    site = Site(name, tuple(program.tensors[each] for each in step.inputs), program.tensors[step.output])
    return _CALLS[type(step)](step, site)


def macs_of(program: Program) -> int:
    """Products that are summed up for one picture."""
    return sum(call_of(program, step, "").macs for step in program.steps)


def _conv(step: Conv, site: Site) -> Call:
    _, rows, columns, inner = step.weight.shape
    pointwise = (rows, columns) == (1, 1) and not any(step.pad) and step.groups == 1
    fields = (
        site.map_members(),
        members(kernel=braces((rows, columns)), stride=braces(step.stride), dilation=braces(step.dilation)),
        members(pad=braces(step.pad[:2]), groups=step.groups, zero_in=site.zeros[0]),
        *site.weighted_members(step),
    )
    bias = folded_bias(step.weight, step.bias, site.zeros[0])
    return Call(
        "conv",
        window("conv", (rows, columns), step.stride, step.pad, step.dilation, step.groups),
        fields,
        _arrays(paired(step.weight, step.groups), bias, step.rescale, step.table),
        f"DETC_{'POINTWISE' if pointwise else 'CONV'}_SCRATCH({rows * columns * inner})",
        macs=site.output.bytes * rows * columns * inner,
    )


def _depthwise(step: Depthwise, site: Site) -> Call:
    rows, columns, channels = step.weight.shape
    fields = (
        site.map_members(),
        members(kernel=braces((rows, columns)), stride=braces(step.stride), dilation=braces(step.dilation)),
        members(pad=braces(step.pad[:2]), zero_in=site.zeros[0], narrow=int(narrow(step.weight))),
        *site.weighted_members(step),
    )
    bias = folded_bias(step.weight.reshape(-1, channels).T, step.bias, site.zeros[0])
    return Call(
        "depthwise",
        window("depthwise conv", (rows, columns), step.stride, step.pad, step.dilation),
        fields,
        _arrays(step.weight.reshape(-1), bias, step.rescale, step.table),
        f"DETC_DEPTHWISE_SCRATCH({rows * columns}, {channels})",
        macs=site.output.bytes * rows * columns,
    )


def _dense(step: Dense, site: Site) -> Call:
    outputs, inputs = step.weight.shape
    fields = (members(inputs=inputs, outputs=outputs), *site.weighted_members(step))
    bias = folded_bias(step.weight, step.bias, site.zeros[0])
    arrays = _arrays(paired(step.weight), bias, step.rescale, step.table)
    return Call("dense", "fully connected", fields, arrays, f"DETC_DENSE_SCRATCH({inputs})", macs=step.weight.size)


def _max_pool(step: MaxPool, site: Site) -> Call:
    fields = (
        site.map_members(),
        members(kernel=braces(step.k), stride=braces(step.stride), pad=braces(step.pad[:2])),
    )
    return Call("max_pool", window("max pool", step.k, step.stride, step.pad), fields)


def _average_pool(step: AveragePool, site: Site) -> Call:
    fields = (
        site.map_members(),
        members(kernel=braces(step.k), stride=braces(step.stride), pad=braces(step.pad[:2]), zero_in=site.zeros[0]),
        members(rescale=one_rescale(step.rescale)),
        site.end_members(step),
    )
    return Call("average_pool", window("average pool", step.k, step.stride, step.pad), fields)


def _add(step: Add, site: Site) -> Call:
    (zero_x, zero_y), (x, y) = site.zeros, step.multipliers
    fields = (
        members(count=site.output.bytes, zero_x=zero_x, zero_y=zero_y),
        members(multiplier_x=x, multiplier_y=y, shift=step.shift),
        site.end_members(step),
    )
    return Call("add", "add", fields, _table_array(step.table))


def _mul(step: Mul, site: Site) -> Call:
    (x, y), (zero_x, zero_y) = site.inputs, site.zeros
    fields = (
        site.pixel_members(x),
        members(broadcast=int(x.bytes != y.bytes), zero_x=zero_x, zero_y=zero_y, rescale=one_rescale(step.rescale)),
        site.end_members(step),
    )
    return Call("mul", "multiply", fields, _table_array(step.table))


def _concat(step: Concat, site: Site) -> Call:
    height, width, _ = map_shape(site.output)
    widths = braces(map_shape(tensor)[2] for tensor in site.inputs)
    arrays = tuple(Array(f"table{i}", table) for i, table in enumerate(step.tables) if table is not None)
    declared = [f"static const int32_t channels[] = {widths};"]
    fields = [members(pixels=height * width, inputs=len(site.inputs), channels="channels")]
    if arrays:
        names = braces(0 if table is None else f"{site.name}_table{i}" for i, table in enumerate(step.tables))
        declared.append(f"static const int8_t *const tables[] = {names};")
        fields.append(members(tables="tables"))
    return Call("concat", "concat", tuple(fields), arrays, locals=tuple(declared))


def _table(step: Table, site: Site) -> Call:
    fields = (members(count=site.output.bytes, table=f"{site.name}_table"),)
    return Call("table", "function by table", fields, _table_array(step.table))


def _resize(step: Resize, site: Site) -> Call:
    rows, columns = step.factor
    fields = (members(input=shape(site.inputs[0]), factor=braces(step.factor), bilinear=int(step.bilinear)),)
    return Call("resize", f"resize {rows}x{columns} times, {'bilinear' if step.bilinear else 'nearest'}", fields)


def _channels(step: Channels, site: Site) -> Call:
    fields = (
        site.pixel_members(site.inputs[0]),
        members(first=step.first, count=step.count, every=step.every),
    )
    last = step.first + (step.count - 1) * step.every
    words = f"channels {step.first} .. {last}" + (f" in steps of {step.every}" if step.every > 1 else "")
    return Call("channels", words, fields)


def _shuffle(step: Shuffle, site: Site) -> Call:
    fields = (f"{site.pixel_members(site.inputs[0])} {members(groups=step.groups)}",)
    return Call("shuffle", f"channel shuffle, {step.groups} groups", fields)


def _space_to_depth(step: SpaceToDepth, site: Site) -> Call:
    declared = f"static const detc_pair order[] = {braces(braces(pair) for pair in step.order)};"
    fields = (members(input=shape(site.inputs[0]), block=step.block, order="order"),)
    return Call("space_to_depth", f"{step.block}x{step.block} pixels to channels", fields, locals=(declared,))


def _pad(step: Pad, site: Site) -> Call:
    fields = (site.map_members(), members(pad=braces(step.pad[:2]), zero=site.zeros[0]))
    return Call("pad", f"border {' '.join(map(str, step.pad))}", fields)


def _reorder(step: Reorder, site: Site) -> Call:
    front = 3 - len(step.axes)
    axes = (*range(front), *(front + axis for axis in step.axes))
    fields = (members(shape=shape(site.inputs[0]), axes=braces(axes)),)
    return Call("reorder", f"axes in the order {' '.join(map(str, step.axes))}", fields)


_CALLS: dict[type[Step], Callable[[Any, Site], Call]] = {
    Conv: _conv,
    Depthwise: _depthwise,
    Dense: _dense,
    MaxPool: _max_pool,
    AveragePool: _average_pool,
    Add: _add,
    Mul: _mul,
    Concat: _concat,
    Table: _table,
    Resize: _resize,
    Channels: _channels,
    Shuffle: _shuffle,
    SpaceToDepth: _space_to_depth,
    Pad: _pad,
    Reorder: _reorder,
}
"""One entry a step of `program.py`; a test holds this table to it."""


def _arrays(weights: Int8, bias: Int32, rescale: Rescale, table: Int8 | None) -> tuple[Array, ...]:
    left = [Array("left", rescale.left.astype(np.uint8))] if rescale.left.any() else []
    right = Array("right", rescale.right.astype(np.uint8))
    multiplier = Array("multiplier", rescale.multiplier)
    return Array("weights", weights), Array("bias", bias), multiplier, *left, right, *_table_array(table)


def _table_array(table: Int8 | None) -> tuple[Array, ...]:
    return () if table is None else (Array("table", table),)

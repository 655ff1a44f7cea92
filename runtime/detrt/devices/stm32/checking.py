"""What makes a program fit to run: shapes that fit each other, and sums that provably stay within 32 bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from detrt.devices.stm32.arithmetic import HIGH, LOW, MAX_LEFT, MAX_RIGHT, Int8, Quant, Rescale
from detrt.devices.stm32.kernels import accumulator_bound
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
    Pair,
    Program,
    Reorder,
    Resize,
    Shuffle,
    Sides,
    SpaceToDepth,
    Step,
    Table,
    Tensor,
)

SPAN = HIGH - LOW
"""The largest |q - zero|."""
MAX_SIDE, MAX_WINDOW = 1 << 20, 1 << 10
MAX_BYTES = 1 << 30
"""Of one tensor: far above what a microcontroller addresses, far below what would exhaust a host."""

Shape = tuple[int, ...]


def overflowing(step: Step) -> str:
    """Why the sums of a step may leave 32 bits with some input, or "". A proof for every input and every order of summation."""
    match step:
        case Conv() | Dense():
            bound = accumulator_bound(step.weight, step.bias)
        case Depthwise():
            bound = accumulator_bound(step.weight, step.bias, axis=2)
        case AveragePool():
            bound = np.array([SPAN * step.k[0] * step.k[1]], np.int64)
        case Mul():
            bound = np.array([SPAN * SPAN], np.int64)
        case Add():
            fits = SPAN * sum(step.multipliers) + (1 << (step.shift - 1)) < 2**31
            return "" if fits else f"its multipliers {step.multipliers} with shift {step.shift} may leave 32 bits"
        case _:
            return ""
    above = bound > step.rescale.largest()
    if not above.any():
        return ""
    channel = int(above.argmax())
    most = int(np.broadcast_to(step.rescale.largest(), above.shape)[channel])
    return (
        f"sums of channel {channel} may reach {int(bound[channel]):,}, the largest that 32 bits take here is {most:,}"
    )


def check_program(program: Program) -> list[str]:
    """What is wrong with a program, one sentence each; empty for one that can be run."""
    problems = list(_tensor_problems(program))
    if problems:
        return problems
    made = {program.input}
    for step in program.steps:
        try:
            _check_step(program, step, made)
        except ValueError as error:
            at = f" ({step.where})" if step.where else ""
            problems.append(f"`{step.name}`{at}: {error}")
        made.add(step.output)
    for name, given in program.outputs.items():
        known = all(t in program.tensors and _source(program, t) in made for t in given)
        problems += [] if known else [f"output `{name}`: {list(given)} are not all made"]
    return problems


def _source(program: Program, name: str) -> str:
    while name in program.aliases:
        name = program.aliases[name]
    return name


def _tensor_problems(program: Program) -> Iterator[str]:
    for name, tensor in program.tensors.items():
        if tensor.name != name or not 1 <= len(tensor.shape) <= 3 or not all(0 < n <= MAX_SIDE for n in tensor.shape):
            yield f"tensor `{name}` has the shape {list(tensor.shape)}"
        elif tensor.bytes > MAX_BYTES:
            yield f"tensor `{name}` has {tensor.bytes:,} bytes"
        if not _sound(tensor.quant):
            yield f"tensor `{name}` has scale {tensor.quant.scale} and zero {tensor.quant.zero}"
    if program.input not in program.tensors or len(program.tensors[program.input].shape) != 3:
        yield f"the input `{program.input}` is no map"
    for name, other in program.aliases.items():
        seen = {name}
        while other in program.aliases and other not in seen:
            seen.add(other)
            other = program.aliases[other]
        known = name in program.tensors and other in program.tensors and other not in program.aliases
        if not known or program.tensors[name].bytes != program.tensors[other].bytes:
            yield f"alias `{name}` is not the bytes of `{other}`"


def _sound(quant: Quant) -> bool:
    return 1e-38 < quant.scale < 1e38 and LOW <= quant.zero <= HIGH


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _check_step(program: Program, step: Step, made: set[str]) -> None:
    known = all(name in program.tensors and _source(program, name) in made for name in step.inputs)
    _need(bool(step.inputs) and known, f"reads {list(step.inputs)}, of which some are not made before it")
    _need(step.output in program.tensors, f"writes `{step.output}`, which is no tensor")
    _need(step.output not in made and step.output not in program.aliases, f"writes `{step.output}` again")
    inputs = [program.tensors[name] for name in step.inputs]
    output = program.tensors[step.output]
    expected = output_shape(step, inputs, output.shape)
    _need(expected == output.shape, f"gives {list(expected)}, its output has {list(output.shape)}")
    if isinstance(step, Conv | Depthwise | Dense | AveragePool | Add | Mul):
        _need(LOW <= step.low <= step.high <= HIGH, f"holds its output to {step.low} .. {step.high}")
        if not isinstance(step, AveragePool):
            _need(
                (step.table is None) == (step.before is None), "has a table without a Quant before it, or the other way"
            )
            _need(step.before is None or _sound(step.before), f"has the Quant {step.before} before its table")
        problem = overflowing(step)
        _need(not problem, problem)
    for table in _tables(step):
        _need(table.shape == (256,), f"has a table of {list(table.shape)}")
    if isinstance(step, MaxPool | Resize | Channels | Shuffle | SpaceToDepth | Pad | Reorder):
        _need(inputs[0].quant == output.quant, "only moves numbers, but its output reads them otherwise")
    if isinstance(step, Concat):
        same = all(t is not None or i.quant == output.quant for t, i in zip(step.tables, inputs, strict=True))
        _need(same, "joins numbers that are read otherwise without a table")


def _tables(step: Step) -> list[Int8]:
    if isinstance(step, Concat):
        return [table for table in step.tables if table is not None]
    table = getattr(step, "table", None)
    return [] if table is None else [table]


def _check_rescale(factors: Rescale, channels: int) -> None:
    shapes = {factors.multiplier.shape, factors.left.shape, factors.right.shape}
    _need(shapes in ({(channels,)}, {(1,)}), f"has factors of {sorted(shapes)} for {channels} channels")
    _need(bool((factors.multiplier >= 0).all()), "has a negative multiplier")
    _need(bool(((factors.left >= 0) & (factors.left <= MAX_LEFT)).all()), f"has a left shift outside 0 .. {MAX_LEFT}")
    _need(
        bool(((factors.right >= 1) & (factors.right <= MAX_RIGHT)).all()), f"has a right shift outside 1 .. {MAX_RIGHT}"
    )


def _window(x: Shape, k: Pair, stride: Pair, pad: Sides, dilation: Pair = (1, 1)) -> Pair:
    _need(
        all(0 < v <= MAX_WINDOW for v in (*k, *stride, *dilation)),
        f"has window {k}, stride {stride}, dilation {dilation}",
    )
    _need(all(0 <= v <= MAX_WINDOW for v in pad), f"pads by {pad}")
    sizes = (x[0] + pad[0] + pad[2], x[1] + pad[1] + pad[3])
    _need(sizes[0] * sizes[1] * x[2] <= MAX_BYTES, f"pads {list(x)} by {pad}")
    room = [size - gap * (n - 1) - 1 for size, n, gap in zip(sizes, k, dilation, strict=True)]
    _need(min(room) >= 0, f"has a {k[0]}x{k[1]} window that does not fit into {x[0]}x{x[1]}")
    return room[0] // stride[0] + 1, room[1] // stride[1] + 1


def _map(shape: Shape) -> tuple[int, int, int]:
    _need(len(shape) == 3, f"reads {list(shape)}, which is no map")
    return shape[0], shape[1], shape[2]


_ONE_INPUT = (
    Conv,
    Depthwise,
    Dense,
    MaxPool,
    AveragePool,
    Table,
    Resize,
    Channels,
    Shuffle,
    SpaceToDepth,
    Pad,
    Reorder,
)


def output_shape(step: Step, inputs: Sequence[Tensor], given: Shape) -> Shape:
    """The shape that a step makes of its inputs; a Reorder's is `given` if it holds as much. ValueError if they do not fit it."""
    x = inputs[0].shape
    counts = {1} if isinstance(step, _ONE_INPUT) else {2} if isinstance(step, Add | Mul) else {len(inputs)}
    _need(len(inputs) in counts, f"reads {len(inputs)} tensors")
    match step:
        case Conv():
            h, w, c = _map(x)
            _need(step.weight.ndim == 4 and step.groups >= 1, f"has weights {step.weight.shape}")
            out, rows, columns, inner = step.weight.shape
            _need(
                inner * step.groups == c and out % step.groups == 0, f"has weights {step.weight.shape} for {c} channels"
            )
            _need(step.bias.shape == (out,), f"has {step.bias.shape} biases for {out} channels")
            _check_rescale(step.rescale, out)
            return (*_window(x, (rows, columns), step.stride, step.pad, step.dilation), out)
        case Depthwise():
            c = _map(x)[2]
            _need(
                step.weight.ndim == 3 and step.weight.shape[2] == c, f"has weights {step.weight.shape} for {c} channels"
            )
            _need(step.bias.shape == (c,), f"has {step.bias.shape} biases for {c} channels")
            _check_rescale(step.rescale, c)
            rows, columns = step.weight.shape[:2]
            return (*_window(x, (rows, columns), step.stride, step.pad, step.dilation), c)
        case Dense():
            _need(step.weight.ndim == 2 and step.weight.shape[1] == inputs[0].bytes, f"has weights {step.weight.shape}")
            _need(step.bias.shape == step.weight.shape[:1], f"has {step.bias.shape} biases")
            _check_rescale(step.rescale, len(step.weight))
            return (len(step.weight),)
        case MaxPool() | AveragePool():
            size = _window(_map(x), step.k, step.stride, step.pad)
            if isinstance(step, AveragePool):
                _check_rescale(step.rescale, 1)
            return (*size, x[2])
        case Add():
            _need(x == inputs[1].shape, f"adds {list(x)} and {list(inputs[1].shape)}")
            _need(1 <= step.shift <= 31 and min(step.multipliers) >= 0, f"shifts by {step.shift}")
            return x
        case Mul():
            _need(inputs[1].shape in (x, (1, 1, x[-1])), f"multiplies {list(x)} and {list(inputs[1].shape)}")
            _check_rescale(step.rescale, 1)
            return x
        case Concat():
            _need(len(step.tables) == len(inputs), f"has {len(step.tables)} tables for {len(inputs)} inputs")
            _need(all(i.shape[:-1] == x[:-1] for i in inputs), f"joins {[list(i.shape) for i in inputs]}")
            return (*x[:-1], sum(i.shape[-1] for i in inputs))
        case Table():
            return x
        case Resize():
            h, w, c = _map(x)
            _need(all(1 <= f <= 256 for f in step.factor), f"enlarges by {step.factor}")
            return h * step.factor[0], w * step.factor[1], c
        case Channels():
            last = step.first + (step.count - 1) * step.every
            _need(
                0 <= step.first <= last < x[-1] and step.every >= 1, f"takes channels {step.first} .. {last} of {x[-1]}"
            )
            return (*x[:-1], step.count)
        case Shuffle():
            _need(step.groups >= 1 and x[-1] % step.groups == 0, f"deals {x[-1]} channels out over {step.groups}")
            return x
        case SpaceToDepth():
            h, w, c = _map(x)
            n = step.block
            _need(n >= 1 and h % n == 0 and w % n == 0, f"cuts {h}x{w} into blocks of {n}x{n}")
            _need(len(step.order) == n * n, f"has the order of {len(step.order)} pixels")
            _need(sorted(step.order) == [(r, q) for r in range(n) for q in range(n)], f"has the order {step.order}")
            return h // n, w // n, c * n * n
        case Pad():
            h, w, c = _map(x)
            _need(all(0 <= v <= MAX_WINDOW for v in step.pad), f"pads by {step.pad}")
            return h + step.pad[0] + step.pad[2], w + step.pad[1] + step.pad[3], c
        case Reorder():
            _need(sorted(step.axes) == list(range(len(x))), f"has the axes {step.axes} of {list(x)}")
            _need(int(np.prod(given)) == inputs[0].bytes, f"makes {list(given)} of {list(x)}")
            return given
    raise ValueError(f"is a {type(step).__name__}, which nothing here runs")

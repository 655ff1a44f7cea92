"""Single steps of an STM32 network, drawn by seed: sizes, borders and factors of all kinds, extreme ones among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detrt.devices.stm32 import program as p
from detrt.devices.stm32.arithmetic import Quant, Rescale, rescale_of

Int8 = npt.NDArray[np.int8]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A step, its inputs, and the tensors that they and its output are."""

    step: p.Step
    inputs: tuple[Int8, ...]
    quants: tuple[Quant, ...]
    output: p.Tensor

    @property
    def zero_in(self) -> int:
        return self.quants[0].zero


def _int8(rng: Rng, *shape: int) -> Int8:
    """Any numbers; now and then only the two extreme ones."""
    if rng.random() < 0.2:
        return rng.choice(np.array([-128, 127], np.int8), shape)
    return rng.integers(-128, 128, shape, dtype=np.int8)


def _quant(rng: Rng) -> Quant:
    return Quant(1.0, int(rng.choice([-128, 127, 0, int(rng.integers(-128, 128))])))


def _factors(rng: Rng, bound: npt.NDArray[np.int64]) -> Rescale:
    """Factors that bring sums up to `bound` to anything between nothing and far too much."""
    highest = np.minimum(2.0**31 / np.maximum(bound, 1) / 8, 2.0**11.9)
    usual = 100.0 / np.sqrt(np.maximum(bound, 1) * 1000.0)
    kinds = rng.integers(0, 8, len(bound))
    wild = np.exp2(rng.uniform(-34, np.log2(highest)))
    real = np.where(kinds == 0, wild, np.where(kinds == 1, highest, np.minimum(usual, highest) * rng.uniform(0.3, 3)))
    return rescale_of(real)


def _bounds(weight: Int8, bias: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    return np.abs(weight.astype(np.int64)).reshape(len(bias), -1).sum(1) * 256 + np.abs(bias.astype(np.int64))


def _held(rng: Rng, zero: int, table: bool = True) -> dict[str, object]:
    """`low`, `high` and `table`: nothing, a ReLU, a ReLU6, a table."""
    kind = int(rng.integers(0, 5))
    held: dict[str, object] = {}
    if kind in (1, 2):
        held = {"low": zero}
    if kind == 2:
        held["high"] = int(rng.integers(zero, 128))
    if kind == 3 and table:
        held["table"] = _int8(rng, 256)
    return held


def _tensor(rng: Rng, shape: tuple[int, ...], quant: Quant | None = None) -> p.Tensor:
    return p.Tensor("y", shape, quant or _quant(rng))


def _channels(rng: Rng) -> int:
    return int(rng.choice([int(rng.integers(1, 18)), int(rng.integers(1, 18)), 16, 32, 40]))


def _window(
    rng: Rng, dilate: bool, largest: int = 4
) -> tuple[dict[str, tuple[int, ...]], tuple[int, ...], tuple[int, int]]:
    """Stride, pad and dilation of a window; height and width of an input that it fits; height and width of its output."""
    k = (int(rng.integers(1, largest)), int(rng.integers(1, largest)))
    if rng.random() < 0.3:
        k = (3, 3)
    dilation = (int(rng.integers(1, 3)), int(rng.integers(1, 3))) if dilate and rng.random() < 0.3 else (1, 1)
    stride = (int(rng.integers(1, 3)), int(rng.integers(1, 4)))
    reach = [(n - 1) * d + 1 for n, d in zip(k, dilation, strict=True)]
    pad = tuple(int(rng.integers(0, r)) for r in (*reach, *reach))
    size = tuple(int(rng.integers(max(1, r - a - b), 9)) for r, a, b in zip(reach, pad[:2], pad[2:], strict=True))
    out = tuple(
        (s + a + b - r) // step + 1 for s, a, b, r, step in zip(size, pad[:2], pad[2:], reach, stride, strict=True)
    )
    return {"k": k, "stride": stride, "pad": pad, "dilation": dilation}, size, (out[0], out[1])


def conv(rng: Rng, pointwise: bool = False) -> Case:
    of, size, out = _window(rng, dilate=True)
    groups = int(rng.choice([1, 1, 1, 2, 3]))
    if pointwise:
        of, groups = {"k": (1, 1), "stride": of["stride"], "pad": (0, 0, 0, 0), "dilation": (1, 1)}, 1
        out = ((size[0] - 1) // of["stride"][0] + 1, (size[1] - 1) // of["stride"][1] + 1)
    inner, count = max(1, _channels(rng) // groups), int(rng.integers(1, 9)) * groups
    weight = _int8(rng, count, *of["k"], inner)
    return _weighted(rng, p.Conv, of, weight, (*size, inner * groups), (*out, count), groups=groups)


def pointwise(rng: Rng) -> Case:
    return conv(rng, pointwise=True)


def depthwise(rng: Rng) -> Case:
    of, size, out = _window(rng, dilate=True, largest=6)
    channels = _channels(rng)
    weight = np.maximum(_int8(rng, *of["k"], channels), rng.choice([-128, -127])).astype(np.int8)
    return _weighted(rng, p.Depthwise, of, weight, (*size, channels), (*out, channels))


def dense(rng: Rng) -> Case:
    inputs, outputs = _channels(rng), int(rng.integers(1, 12))
    return _weighted(rng, p.Dense, {}, _int8(rng, outputs, inputs), (inputs,), (outputs,))


def _weighted(rng: Rng, kind, of, weight: Int8, shape, out, **more) -> Case:  # type: ignore[no-untyped-def]
    output, channels = _tensor(rng, out), out[-1]
    bias = rng.integers(-(10 ** int(rng.integers(1, 7))), 10 ** int(rng.integers(1, 7)), channels, dtype=np.int32)
    filters = weight.reshape(-1, channels).T if kind is p.Depthwise else weight
    if rng.random() < 0.1:  # as large as the proof of the accumulators allows
        room = 2**31 - 1 - _bounds(filters, np.zeros_like(bias))
        bias = (room * rng.choice([-1, 1], channels)).astype(np.int32)
    more |= {name: of[name] for name in ("stride", "pad", "dilation") if name in of} | _held(rng, output.quant.zero)
    factors = _factors(rng, _bounds(filters, bias))
    step = kind(name="s", inputs=("x",), output="y", weight=weight, bias=bias, rescale=factors, **more)
    return Case(step, (_int8(rng, *shape),), (_quant(rng),), output)


def max_pool(rng: Rng) -> Case:
    of, size, out = _window(rng, dilate=False)
    channels, quant = _channels(rng), _quant(rng)
    step = p.MaxPool(name="s", inputs=("x",), output="y", k=of["k"], stride=of["stride"], pad=of["pad"])  # type: ignore[arg-type]
    return Case(step, (_int8(rng, *size, channels),), (quant,), _tensor(rng, (*out, channels), quant))


def average_pool(rng: Rng) -> Case:
    of, size, out = _window(rng, dilate=False)
    channels, output = _channels(rng), _tensor(rng, (*out, 1))
    output = p.Tensor("y", (*out, channels), output.quant)
    count = of["k"][0] * of["k"][1]
    factors = rescale_of(rng.uniform(0.3, 3) / count)
    held = _held(rng, output.quant.zero, table=False)
    step = p.AveragePool(
        name="s", inputs=("x",), output="y", k=of["k"], stride=of["stride"], pad=of["pad"], rescale=factors, **held
    )  # type: ignore[arg-type]
    return Case(step, (_int8(rng, *size, channels),), (_quant(rng),), output)


def _map(rng: Rng) -> tuple[int, int, int]:
    return int(rng.integers(1, 6)), int(rng.integers(1, 6)), _channels(rng)


def add(rng: Rng) -> Case:
    shape = _map(rng)
    output, shift = _tensor(rng, shape), int(rng.choice([1, 31, *rng.integers(1, 32, 6), 20, 21]))
    most = min(2**23 - 1, 2 ** (shift + 2))
    one = int(rng.integers(0, most))
    multipliers = (one, int(rng.integers(0, most - one)))
    held = _held(rng, output.quant.zero)
    step = p.Add(name="s", inputs=("x", "z"), output="y", multipliers=multipliers, shift=shift, **held)  # type: ignore[arg-type]
    return Case(step, (_int8(rng, *shape), _int8(rng, *shape)), (_quant(rng), _quant(rng)), output)


def mul(rng: Rng) -> Case:
    shape = _map(rng)
    output = _tensor(rng, shape)
    factors = _factors(rng, np.array([255 * 255]))
    step = p.Mul(name="s", inputs=("x", "z"), output="y", rescale=factors, **_held(rng, output.quant.zero))  # type: ignore[arg-type]
    other = shape if rng.random() < 0.5 else (1, 1, shape[2])
    return Case(step, (_int8(rng, *shape), _int8(rng, *other)), (_quant(rng), _quant(rng)), output)


def concat(rng: Rng) -> Case:
    height, width, _ = _map(rng)
    parts = [int(n) for n in rng.integers(1, 12, int(rng.integers(1, 4)))]
    tables = tuple(_int8(rng, 256) if rng.random() < 0.4 else None for _ in parts)
    step = p.Concat(name="s", inputs=tuple(f"x{i}" for i in range(len(parts))), output="y", tables=tables)
    inputs = tuple(_int8(rng, height, width, n) for n in parts)
    return Case(step, inputs, tuple(_quant(rng) for _ in parts), _tensor(rng, (height, width, sum(parts))))


def table(rng: Rng) -> Case:
    shape = _map(rng)
    step = p.Table(name="s", inputs=("x",), output="y", table=_int8(rng, 256))
    return Case(step, (_int8(rng, *shape),), (_quant(rng),), _tensor(rng, shape))


def _moved(rng: Rng, step: p.Step, shape: tuple[int, ...], out: tuple[int, ...]) -> Case:
    quant = _quant(rng)
    return Case(step, (_int8(rng, *shape),), (quant,), _tensor(rng, out, quant))


def resize(rng: Rng) -> Case:
    height, width, channels = _map(rng)
    factor = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    step = p.Resize(name="s", inputs=("x",), output="y", factor=factor, bilinear=bool(rng.integers(0, 2)))
    return _moved(rng, step, (height, width, channels), (height * factor[0], width * factor[1], channels))


def channels(rng: Rng) -> Case:
    height, width, _ = _map(rng)
    first, every, count = int(rng.integers(0, 4)), int(rng.integers(1, 4)), int(rng.integers(1, 7))
    step = p.Channels(name="s", inputs=("x",), output="y", first=first, count=count, every=every)
    whole = first + (count - 1) * every + 1 + int(rng.integers(0, 3))
    return _moved(rng, step, (height, width, whole), (height, width, count))


def shuffle(rng: Rng) -> Case:
    height, width, _ = _map(rng)
    groups = int(rng.integers(1, 5))
    shape = (height, width, groups * int(rng.integers(1, 6)))
    return _moved(rng, p.Shuffle(name="s", inputs=("x",), output="y", groups=groups), shape, shape)


def space_to_depth(rng: Rng) -> Case:
    height, width, channels = _map(rng)
    block = int(rng.integers(1, 4))
    places = [(r, c) for r in range(block) for c in range(block)]
    order = tuple(places[i] for i in rng.permutation(len(places)))
    step = p.SpaceToDepth(name="s", inputs=("x",), output="y", block=block, order=order)
    return _moved(rng, step, (height * block, width * block, channels), (height, width, channels * block * block))


def pad(rng: Rng) -> Case:
    height, width, channels = _map(rng)
    top, left, bottom, right = (int(n) for n in rng.integers(0, 3, 4))
    step = p.Pad(name="s", inputs=("x",), output="y", pad=(top, left, bottom, right))
    return _moved(rng, step, (height, width, channels), (height + top + bottom, width + left + right, channels))


def reorder(rng: Rng) -> Case:
    shape = _map(rng)
    axes = tuple(int(a) for a in rng.permutation(3))
    step = p.Reorder(name="s", inputs=("x",), output="y", axes=axes)
    return _moved(rng, step, shape, tuple(shape[a] for a in axes))


KINDS: tuple[Callable[[Rng], Case], ...] = (
    conv, pointwise, depthwise, dense, max_pool, average_pool, add, mul, concat, table, resize, channels, shuffle,
    space_to_depth, pad, reorder,
)  # fmt: skip


def cases(seed: int, each: dict[str, int], otherwise: int = 3) -> list[Case]:
    """Some of every kind: `each` by the kind's name."""
    rng = np.random.default_rng(seed)
    return [kind(rng) for kind in KINDS for _ in range(each.get(kind.__name__, otherwise))]

"""The simulator's kernels against their formulas in whole Python numbers, one output at a time; and against float nets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")

from int8_nets import SEEDS, program, random_net  # noqa: E402

from detrt.devices.stm32.arithmetic import Rescale, dequantise  # noqa: E402
from detrt.devices.stm32.checking import check_program  # noqa: E402
from detrt.devices.stm32.kernels import bilinear  # noqa: E402
from detrt.devices.stm32.program import (  # noqa: E402
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
    sum_quant,
)
from detrt.devices.stm32.quantising import quantised  # noqa: E402
from detrt.devices.stm32.simulator import simulate  # noqa: E402
from detrt.errors import DetrtError  # noqa: E402

Map = npt.NDArray[Any]


def at(x: Map, row: int, column: int, channel: int, fill: int) -> int:
    inside = 0 <= row < x.shape[0] and 0 <= column < x.shape[1]
    return int(x[row, column, channel]) if inside else fill


def scaled(total: int, factors: Rescale, channel: int) -> int:
    c = channel % len(factors.multiplier)
    exponent = 32 + int(factors.right[c]) - int(factors.left[c])
    return (total * int(factors.multiplier[c]) + (1 << (exponent - 1))) >> exponent


def held(number: int, step: Any) -> int:
    number = max(step.low, min(step.high, number))
    table = getattr(step, "table", None)
    return number if table is None else int(table[number + 128])


def value(step: Step, inputs: list[Map], zeros: list[int], zero_out: int, place: tuple[int, ...]) -> int:
    """The number at `place` of the output of a step, from its formula."""
    x = inputs[0]
    match step:
        case Conv() | Depthwise() | AveragePool() | MaxPool():
            r, q, o = place
            rows, columns = step.weight.shape[1:3] if isinstance(step, Conv) else (
                step.weight.shape[:2] if isinstance(step, Depthwise) else step.k)  # fmt: skip
            gap = getattr(step, "dilation", (1, 1))
            taps = [(i, j, r * step.stride[0] - step.pad[0] + i * gap[0], q * step.stride[1] - step.pad[1] + j * gap[1])
                    for i, j in product(range(rows), range(columns))]  # fmt: skip
            if isinstance(step, MaxPool):
                return max(at(x, y, z, o, -128) for _, _, y, z in taps)
            if isinstance(step, AveragePool):
                return held(
                    zero_out + scaled(sum(at(x, y, z, o, zeros[0]) - zeros[0] for _, _, y, z in taps), step.rescale, 0),
                    step,
                )
            total = int(step.bias[o])
            if isinstance(step, Depthwise):
                total += sum(int(step.weight[i, j, o]) * (at(x, y, z, o, zeros[0]) - zeros[0]) for i, j, y, z in taps)
            else:
                inner = step.weight.shape[3]
                first = o // (len(step.weight) // step.groups) * inner
                total += sum(int(step.weight[o, i, j, c]) * (at(x, y, z, first + c, zeros[0]) - zeros[0])
                             for i, j, y, z in taps for c in range(inner))  # fmt: skip
            return held(zero_out + scaled(total, step.rescale, o), step)
        case Dense():
            total = sum(int(w) * (int(n) - zeros[0]) for w, n in zip(step.weight[place[0]], x.reshape(-1), strict=True))
            return held(zero_out + scaled(total + int(step.bias[place[0]]), step.rescale, place[0]), step)
        case Add():
            parts = [(int(t[place]) - z) * m for t, z, m in zip(inputs, zeros, step.multipliers, strict=True)]
            return held(zero_out + ((sum(parts) + (1 << (step.shift - 1))) >> step.shift), step)
        case Mul():
            y = inputs[1] if inputs[1].shape == x.shape else np.broadcast_to(inputs[1], x.shape)
            return held(
                zero_out + scaled((int(x[place]) - zeros[0]) * (int(y[place]) - zeros[1]), step.rescale, 0), step
            )
        case Concat():
            c = place[-1]
            for t, table in zip(inputs, step.tables, strict=True):
                if c < t.shape[-1]:
                    number = int(t[(*place[:-1], c)])
                    return number if table is None else int(table[number + 128])
                c -= t.shape[-1]
        case Table():
            return int(step.table[int(x[place]) + 128])
        case Resize():
            if step.bilinear:
                return interpolated(x, step.factor, place)
            return int(x[place[0] // step.factor[0], place[1] // step.factor[1], place[2]])
        case Channels():
            return int(x[(*place[:-1], step.first + step.every * place[-1])])
        case Shuffle():
            n = x.shape[-1] // step.groups
            return int(x[(*place[:-1], place[-1] % step.groups * n + place[-1] // step.groups)])
        case SpaceToDepth():
            row, column = step.order[place[2] // x.shape[2]]
            return int(x[place[0] * step.block + row, place[1] * step.block + column, place[2] % x.shape[2]])
        case Pad():
            return at(x, place[0] - step.pad[0], place[1] - step.pad[1], place[2], zeros[0])
        case Reorder():
            sizes = [x.shape[a] for a in step.axes]
            moved = np.unravel_index(int(np.ravel_multi_index(place, ORDERED[-1])), sizes)
            return int(x[tuple(int(moved[step.axes.index(a)]) for a in range(x.ndim))])
    raise AssertionError(step)


ORDERED: list[tuple[int, ...]] = []
"""The shape of the output that is being looked at."""


def interpolated(x: Map, factor: tuple[int, int], place: tuple[int, ...]) -> int:
    """From the definition: shares of neighbours by distance, in units of 1 / (2 factor) pixels, halves up."""
    total = 0
    for row, column in product(range(x.shape[0] + 2), range(x.shape[1] + 2)):
        shares = [
            max(0, 2 * f - abs(2 * p + 1 - f - 2 * f * (n - 1)))
            for f, p, n in zip(factor, place[:2], (row, column), strict=True)
        ]
        source = (min(max(row - 1, 0), x.shape[0] - 1), min(max(column - 1, 0), x.shape[1] - 1), place[2])
        total += shares[0] * shares[1] * int(x[source])
    whole = 4 * factor[0] * factor[1]
    return (total + whole // 2) // whole


def traced(net: Program, picture: Map) -> dict[str, Map]:
    found: dict[str, Map] = {}
    simulate(net, picture, lambda name, numbers: found.update({name: numbers}))
    return found


def steps_of(seeds: Any) -> Iterator[tuple[Program, Step, dict[str, Map]]]:
    for seed in seeds:
        net = program(seed)
        made = traced(net, random_net(seed).pictures(1, seed)[0])
        for name, other in net.aliases.items():
            made[name] = made[other].reshape(net.tensors[name].shape)
        for step in net.steps:
            yield net, step, made


@pytest.mark.parametrize(
    ("seeds", "places"), [(SEEDS[:20], 2), pytest.param(SEEDS, 8, marks=pytest.mark.long)], ids=["some", "all"]
)
def test_every_kernel_gives_what_its_formula_says(seeds: range, places: int) -> None:
    rng, kinds = np.random.default_rng(0), set()
    for net, step, made in steps_of(seeds):
        kinds.add(type(step))
        result, inputs = made[step.output], [made[name] for name in step.inputs]
        zeros = [net.tensors[name].quant.zero for name in step.inputs]
        ORDERED.append(result.shape)
        for _ in range(places):
            place = tuple(int(rng.integers(n)) for n in result.shape)
            assert result[place] == value(
                step, inputs, zeros, sum_quant(step, net.tensors[step.output].quant).zero, place
            ), step
    assert len(kinds) == 15


@pytest.mark.long
def test_random_nets_cover_the_hard_cases() -> None:
    nets = [program(seed) for seed in SEEDS]
    steps = [step for net in nets for step in net.steps]
    convs = [s for s in steps if isinstance(s, Conv | Depthwise)]
    assert not any(check_program(net) for net in nets)
    assert any(len(set(s.pad)) > 2 for s in convs) and any(s.dilation != (1, 1) for s in convs)
    assert any(isinstance(s, Conv) and s.groups > 1 for s in convs) and any((s.bias < 0).any() for s in convs)
    assert any((s.rescale.left > 4).any() for s in convs) and any((s.rescale.right > 20).any() for s in convs)
    assert (
        any(s.high < 127 for s in convs)
        and any(s.low > -128 for s in convs)
        and any(s.table is not None for s in convs)
    )
    assert any(any(t is not None for t in s.tables) for s in steps if isinstance(s, Concat))
    assert any(all(t is None for t in s.tables) for s in steps if isinstance(s, Concat))
    assert {s.bilinear for s in steps if isinstance(s, Resize)} == {True, False} and any(net.aliases for net in nets)


@pytest.mark.parametrize("factor", [(2, 2), (3, 2), (4, 1)])
def test_bilinear_is_torchs_rounded_once(factor: tuple[int, int]) -> None:
    x = np.random.default_rng(1).integers(-128, 128, (5, 7, 3)).astype(np.int8)
    real = torch.from_numpy(x.transpose(2, 0, 1)[None].astype(np.float64))
    wanted = torch.nn.functional.interpolate(real, scale_factor=factor, mode="bilinear", align_corners=False)
    assert np.array_equal(bilinear(x, factor), np.floor(wanted[0].permute(1, 2, 0).numpy() + 0.5 + 1e-9))


def test_int8_stays_close_to_float_where_ranges_are_fair() -> None:
    """Not an equality: a check that the whole numbers mean what they should. Ranges as measured, wild weights left out."""
    close = 0
    for seed in range(12):
        case = random_net(seed)
        with torch.no_grad():
            values = case.model.values(case.encoded(case.pictures(2, 99)))
        fair = {name: (float(values[name].min()), float(values[name].max())) for name in case.ranges}
        net = quantised(case.lock["plan"], case.model.state_dict(), fair, case.lock["model"]["input"])
        made = simulate(net, case.pictures(2, 99)[0])
        name = net.outputs["grid"][0]
        real = values[name][0].permute(1, 2, 0).numpy()
        error = np.abs(dequantise(made["grid"][0], net.tensors[name].quant) - real).max()
        close += bool(error < 0.1 * max(np.ptp(real), 1e-3))
    assert close >= 9


def test_a_picture_of_another_shape_or_dtype_is_refused() -> None:
    net = program(0)
    picture = random_net(0).pictures(1)[0]
    for wrong in (picture[1:], picture.astype(np.float32), picture[None]):
        with pytest.raises(DetrtError, match="takes u8"):
            simulate(net, wrong)

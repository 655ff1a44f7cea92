"""From a plan, trained weights and measured ranges to the program of whole numbers that the device runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor as Floats

from detrt.devices.stm32.arithmetic import HIGH, LOW, Int8, Quant, Rescale, rescale_of
from detrt.devices.stm32.checking import check_program
from detrt.devices.stm32.entry import Entry, entries, entry_of
from detrt.devices.stm32.folding import Grid, layer_numbers, layer_scales, memory_order, on_grid
from detrt.devices.stm32.functions import requantising, table
from detrt.devices.stm32.plan import WEIGHTED, Plan, PlanStep, plan_of
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
    SpaceToDepth,
    Step,
    Table,
    Tensor,
)
from detrt.devices.stm32.quants import Range, tensor_quants
from detrt.errors import DetrtError

REMEDY = "look at the layer's weights, and calibrate on more pictures"
Numbers = Mapping[str, Floats]
"""Tensors by the keys of the model's state_dict."""
NONE: Numbers = {}


def quantised(
    plan: Plan | Mapping[str, Any],
    state: Mapping[str, Any],
    ranges: Mapping[str, Range],
    model_input: Mapping[str, Any],
    name: str = "network",
    own: Mapping[str, Any] | None = None,
) -> Program:
    """The program of `plan` with the weights of `state`; `model_input` is the lock's `model.input`, whose encoding is folded in.

    `state` has tensors, torch's or numpy's, by the keys of the model's state_dict.
    `own` has, by keys of weights that were whole numbers before, what one step of each output channel stood for [out]; as far
    as they go with this arithmetic the program has the same numbers.
    `ranges` has the lowest and highest number of every tensor with a Quant of its own, and of "<tensor>.before" a table.
    DetrtError, with all that is wrong: ranges or weights that are missing or no numbers, sums that could overflow 32 bits.
    """
    plan = plan if isinstance(plan, Plan) else plan_of(plan)
    quants = tensor_quants(plan, ranges, entry_of(model_input).quant)
    read = entries(plan, model_input)
    numbers = {key: torch.as_tensor(value).detach() for key, value in state.items()}
    grids = {key: torch.tensor(value, dtype=torch.float64) for key, value in (own or {}).items()}
    steps: list[Step] = []
    problems: list[str] = []
    for planned in plan.steps:
        try:
            steps.append(_step(plan, planned, numbers, quants, read, grids))
        except ValueError as error:
            at = f" ({planned.where})" if planned.where else ""
            problems.append(f"`{planned.name}`{at}: {error}")
    if problems:
        raise DetrtError("; ".join(problems), remedy=REMEDY)
    tensors = {n: Tensor(n, t.shape, quants[n]) for n, t in plan.tensors.items()}
    program = Program(name, tensors, tuple(steps), plan.input, plan.outputs, plan.aliases)
    if problems := check_program(program):
        raise DetrtError("; ".join(problems), remedy=REMEDY)
    return program


def limits(step: PlanStep, after: Quant) -> Pair:
    """`low` and `high` of a step: those of int8, or of its ReLU."""
    if step.activation is None or not step.clamps:
        return LOW, HIGH
    cap = step.activation.values[0] if step.activation.values else None
    high = HIGH if cap is None else min(HIGH, int(np.floor(min(cap / after.scale, 512.0) + 0.5)) + after.zero)
    return after.zero, high


def before_table(step: PlanStep, quants: Mapping[str, Quant]) -> Quant:
    """The Quant that a step's sum is brought to: its output's, or the one before its table."""
    return quants[step.before if step.tabled else step.output]


def layer_grid(
    plan: Plan, step: PlanStep, state: Numbers, quants: Mapping[str, Quant], read: Mapping[str, Entry],
    own: Numbers = NONE,
) -> Grid:  # fmt: skip
    """Weights and bias of a conv, depthwise or dense step as whole numbers, weights in torch's layout. `own` is that of
    `quantised`."""
    weight, bias = layer_numbers(step, state)
    groups = len(weight) if step.kernel == "depthwise" else step.groups
    if tuple(weight.shape) != (expected := _weight_shape(plan, step)):
        raise ValueError(f"`{step.module}` has weights {list(weight.shape)}, the plan is for {list(expected)}")
    scales = layer_scales(step, state, own)
    return on_grid(weight, bias, quants[step.inputs[0]].scale, read.get(plan.source(step.inputs[0])), groups, scales)


def _weight_shape(plan: Plan, step: PlanStep) -> tuple[int, ...]:
    entering, out = plan.tensors[step.inputs[0]].shape, plan.tensors[step.output].shape[-1]
    if step.kernel == "dense":
        return out, math.prod(entering)
    return out, 1 if step.kernel == "depthwise" else entering[-1] // step.groups, *step.k


def factors(step: PlanStep, grid: Grid, quants: Mapping[str, Quant]) -> Rescale:
    """From sums to numbers of the output. ValueError where no fixed point holds them."""
    real = (quants[step.inputs[0]].scale * grid.scales) / before_table(step, quants).scale
    return fixed_point(real.cpu().numpy())


def fixed_point(real: npt.ArrayLike) -> Rescale:
    """`rescale_of` factors; ValueError in a user's words where no fixed point holds one."""
    largest = float(np.max(real))
    if not largest < 2.0**12:
        raise ValueError(f"one step of its sums is {largest:.3g} steps of its output, whose range is far too narrow")
    return rescale_of(real)


def add_multipliers(one: Quant, other: Quant, after: Quant) -> tuple[Pair, int]:
    """Multipliers and shift of an Add: the finest for which sums and the rounding term fit into 32 bits."""
    shares = (one.scale / after.scale, other.scale / after.scale)
    for shift in range(31, 0, -1):
        pair = (round(shares[0] * 2**shift), round(shares[1] * 2**shift))
        if (HIGH - LOW) * sum(pair) + (1 << (shift - 1)) < 2**31 and sum(pair) < 2**23:
            return pair, shift
    raise ValueError(f"one step of its inputs is {max(shares):.3g} steps of its output, whose range is far too narrow")


def _int8(values: Floats) -> Int8:
    return np.ascontiguousarray(values.cpu().numpy().astype(np.int8))


def _table(step: PlanStep, quants: Mapping[str, Quant]) -> dict[str, Any]:
    """`table` and `before` of a step."""
    if not step.tabled or step.activation is None:
        return {}
    before = quants[step.before]
    return {"table": table(step.activation, before, quants[step.output]), "before": before}


def _weighted(
    step: PlanStep, plan: Plan, state: Numbers, quants: Mapping[str, Quant], read: Mapping[str, Entry], own: Numbers
) -> Step:
    grid = layer_grid(plan, step, state, quants, read, own)
    low, high = limits(step, before_table(step, quants))
    bias = grid.whole_bias.cpu().numpy()
    if not (np.isfinite(bias).all() and bool(torch.isfinite(grid.whole_weight).all())):
        raise ValueError("its weights hold numbers that are none (NaN or infinite)")
    if np.abs(bias).max() >= 2**31:
        raise ValueError("its bias is too large for 32 bits beside its weights")
    common: dict[str, Any] = {
        "name": step.name,
        "inputs": step.inputs,
        "output": step.output,
        "where": step.where,
        "bias": bias.astype(np.int32),
        "rescale": factors(step, grid, quants),
        "low": low,
        "high": high,
        **_table(step, quants),
    }
    window: dict[str, Any] = {"stride": step.stride, "pad": step.pad, "dilation": step.dilation}
    if step.kernel == "dense":
        return Dense(weight=_int8(memory_order(grid.whole_weight, step)), **common)
    if step.kernel == "depthwise":
        return Depthwise(weight=_int8(grid.whole_weight[:, 0].permute(1, 2, 0)), **window, **common)
    return Conv(weight=_int8(grid.whole_weight.permute(0, 2, 3, 1)), groups=step.groups, **window, **common)


def _step(
    plan: Plan, step: PlanStep, state: Numbers, quants: Mapping[str, Quant], read: Mapping[str, Entry], own: Numbers
) -> Step:
    """One step of the program. ValueError with what is wrong with it."""
    if step.kernel in WEIGHTED:
        return _weighted(step, plan, state, quants, read, own)
    common: dict[str, Any] = {"name": step.name, "inputs": step.inputs, "output": step.output, "where": step.where}
    inputs = [quants[name] for name in step.inputs]
    after = before_table(step, quants)
    low, high = limits(step, after)
    finish: dict[str, Any] = {"low": low, "high": high, **_table(step, quants)}
    match step.kernel:
        case "average_pool":
            factor = inputs[0].scale / (after.scale * (step.k[0] * step.k[1]))
            return AveragePool(k=step.k, stride=step.stride, pad=step.pad, rescale=fixed_point(factor), low=low, high=high,
                               **common)  # fmt: skip
        case "add":
            multipliers, shift = add_multipliers(inputs[0], inputs[1], after)
            return Add(multipliers=multipliers, shift=shift, **finish, **common)
        case "mul":
            if _elements(plan, step.inputs[0]) < _elements(plan, step.inputs[1]):
                common["inputs"] = step.inputs[::-1]
            return Mul(rescale=fixed_point(inputs[0].scale * inputs[1].scale / after.scale), **finish, **common)
        case "table":
            if step.activation is None:
                return Table(table=requantising(inputs[0], after), **common)
            return Table(table=table(step.activation, inputs[0], after), **common)
        case "concat":
            tables = tuple(None if quant == after else requantising(quant, after) for quant in inputs)
            return Concat(tables=tables, **common)
    return _moving(step, common)


def _elements(plan: Plan, name: str) -> int:
    return int(np.prod(plan.tensors[name].shape))


def _moving(step: PlanStep, common: dict[str, Any]) -> Step:
    match step.kernel:
        case "max_pool":
            return MaxPool(k=step.k, stride=step.stride, pad=step.pad, **common)
        case "resize":
            return Resize(factor=step.factor, bilinear=step.bilinear, **common)
        case "channels":
            return Channels(first=step.first, count=step.count, every=step.every, **common)
        case "shuffle":
            return Shuffle(groups=step.groups, **common)
        case "space_to_depth":
            return SpaceToDepth(block=step.block, order=step.order, **common)
        case "pad":
            return Pad(pad=step.pad, **common)
        case _:
            return Reorder(axes=step.axes, **common)

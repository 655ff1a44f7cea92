"""Before the quantised stages: ranges of tensors on pictures, layers evened out, biases corrected. All on float weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from detrt.devices.stm32.floating import observe
from detrt.devices.stm32.folding import layer_numbers, memory_order, on_grid
from detrt.devices.stm32.plan import WEIGHTED, Plan, PlanStep, read_plan
from detrt.devices.stm32.quants import caps_of
from detrt.devices.stm32.running import See, in_memory
from detrt.errors import DetrtError
from detrt.quant import Layer, Observed, Pair, corrections, equalise
from detrt.quant.biases import Means

Lock = Mapping[str, Any]

CHANNELWISE = ("max_pool", "average_pool", "resize", "pad")
"""Kernels for which f(s x) = s f(x), channel by channel."""


def measure_ranges(
    model: nn.Module, lock: Lock, batches: Iterable[Tensor], trials: Sequence[Mapping[str, Any]]
) -> list[dict[str, float]]:
    """What each tensor of the lock's plan holds while `batches` (encoded pictures [n, C, H, W]) pass, once for each of `trials`.

    A range is kept as its ends, "<tensor>.low" and "<tensor>.high"; `trials` as in `detrt.quant.range_of`. Memory does not grow
    with the number of pictures. DetrtError without pictures, or where the net gives NaN or infinity.
    """
    plan = read_plan(lock)
    seen = Observed([name for name, _ in plan.quants()], trials)
    _run(model, plan, batches, seen.look)
    return [caps_of(ranges) for ranges in seen.ranges()]


def equalize(model: nn.Module, lock: Lock) -> int:
    """Evens out the weights of neighbouring layers in place (see `detrt.quant.equalising`); how many pairs there are.

    Left alone are layers behind which a channel is cut off (ReLU6) or bent (any table but leaky ReLU's), whose output more
    than one step reads, that share their weights or have weight norm.
    """
    plan = read_plan(lock)
    layers = {step.name: _layer(model, step) for step in _free(plan)}
    pairs = [Pair(layers[one.name], layers[other.name]) for one, other in _neighbours(plan) if other.name in layers]
    equalise(pairs)
    return len(pairs)


@torch.no_grad()
def correct_bias(model: nn.Module, lock: Lock, batches: Iterable[Tensor]) -> int:
    """Takes out of each bias, in place, what the rounding of the weights adds on average to the layer's output on `batches` of
    encoded pictures (see `detrt.quant.biases`); how many layers. A layer without a bias and without a batch norm stays as it is.
    """
    plan = read_plan(lock)
    steps = [step for step in _free(plan) if _bias(model, step) is not None and step.inputs[0] not in _views(plan)]
    readers: dict[str, list[PlanStep]] = {}
    for step in steps:
        readers.setdefault(plan.source(step.inputs[0]), []).append(step)
    means = Means()

    def look(name: str, values: Tensor) -> None:
        for step in readers.get(name, ()):
            means.look(step.name, in_memory(values).flatten(1) if step.kernel == "dense" else values)

    if not _run(model, plan, batches, look):
        raise DetrtError("no pictures to correct biases on", remedy="give the calibration `images`")
    state = model.state_dict()
    for step in steps:
        weight, bias = layer_numbers(step, state)
        grid = on_grid(weight, torch.zeros_like(bias), 1.0)
        rounded = grid.whole_weight * grid.scales.view(-1, *[1] * (weight.dim() - 1))
        groups = len(weight) if step.kernel == "depthwise" else step.groups
        shift = corrections(memory_order(weight, step), memory_order(rounded, step), means.of(step.name), groups)
        held = _bias(model, step)
        assert held is not None
        held.sub_(shift.to(held))
    return len(steps)


def _run(model: nn.Module, plan: Plan, batches: Iterable[Tensor], see: See) -> int:
    """Shows `see` every tensor of every batch; how many pictures there were."""
    device = next(model.parameters()).device
    pictures = 0
    for batch in batches:
        observe(model, plan, batch.to(device), see)
        pictures += len(batch)
    return pictures


def _free(plan: Plan) -> Iterator[PlanStep]:
    """Steps with weights of their own."""
    uses = Counter(step.module for step in plan.steps if step.kernel in WEIGHTED)
    for step in plan.steps:
        if step.kernel in WEIGHTED and uses[step.module] == 1 and not step.weight_norm:
            yield step


def _views(plan: Plan) -> set[str]:
    """Tensors that are the bytes of a map in another shape, where they are no plain vector of it."""
    return {name for name in plan.aliases if len(plan.tensors[name].shape) != 1}


def _bias(model: nn.Module, step: PlanStep) -> Tensor | None:
    """What shifts the output of a step: the bias of its batch norm, or its own."""
    bias = model.get_submodule(step.norm or step.module).bias
    return bias if isinstance(bias, Tensor) else None


def _neighbours(plan: Plan) -> Iterator[tuple[PlanStep, PlanStep]]:
    """Pairs of steps between which channels may be scaled."""
    readers: dict[str, list[PlanStep]] = {}
    for step in plan.steps:
        for name in step.inputs:
            readers.setdefault(name, []).append(step)
    fixed = {*plan.aliases.values(), *(name for given in plan.outputs.values() for name in given)}
    for step in _free(plan):
        if not _scales(step):
            continue
        at = step
        while at.output not in fixed and len(readers.get(at.output, ())) == 1:
            at = readers[at.output][0]
            if at.kernel in WEIGHTED:
                yield step, at
                break
            if at.kernel not in CHANNELWISE or at.activation is not None:
                break


def _scales(step: PlanStep) -> bool:
    """True if the step's activation f has f(s x) = s f(x)."""
    act = step.activation
    return act is None or act.name == "leaky" or (act.name == "relu" and not any(v is not None for v in act.values))


@torch.no_grad()
def _layer(model: nn.Module, step: PlanStep) -> Layer:
    module: Any = model.get_submodule(step.module)
    groups = len(module.weight) if step.kernel == "depthwise" else step.groups
    if not step.norm:
        rows = (module.weight,) if module.bias is None else (module.weight, module.bias)
        return Layer(module.weight.data, tuple(row.data for row in rows), groups)
    norm: Any = model.get_submodule(step.norm)
    deviation = torch.sqrt(norm.running_var + step.eps)
    return Layer(module.weight.data, (norm.weight.data, norm.bias.data), groups, norm.weight.data, deviation)

"""The steps of a plan in float: what a calibration looks at, batch norms folded as the device has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from detrt.devices.stm32.folding import layer_numbers, memory_order
from detrt.devices.stm32.plan import Activation, Plan, PlanStep
from detrt.devices.stm32.running import See, run_plan, windowed_sums
from detrt.errors import DetrtError

_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": F.silu,
    "hswish": F.hardswish,
    "hsigmoid": F.hardsigmoid,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": F.gelu,
}


def activated(activation: Activation, x: Tensor) -> Tensor:
    """The activation of real numbers. DetrtError for one that is no function of one number."""
    value = activation.values[0] if activation.values else None
    if activation.name == "relu":
        return x.clamp(0.0, value)
    if activation.name == "leaky":
        return F.leaky_relu(x, 0.1 if value is None else value)
    if activation.name not in _FUNCTIONS:
        raise DetrtError(f"there is no table of the activation `{activation.name}`")
    return _FUNCTIONS[activation.name](x)


def weighted_sums(step: PlanStep, x: Tensor, weight: Tensor) -> Tensor:
    """Sums of products of a conv, depthwise or dense step; `weight` in torch's layout, a dense one's columns as x lies."""
    if step.kernel == "dense":
        return F.linear(x.flatten(1), weight)
    top, left, bottom, right = step.pad
    groups = len(weight) if step.kernel == "depthwise" else step.groups
    if (top, left) == (bottom, right):  # the convolution pads itself, without a copy
        return F.conv2d(x, weight, None, step.stride, (top, left), step.dilation, groups)
    return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, None, step.stride, 0, step.dilation, groups)


def channelwise(values: Tensor, sums: Tensor) -> Tensor:
    """A number a channel, [channels], in a shape that goes with sums [n, channels, ..]."""
    return values.view(-1, *[1] * (sums.dim() - 2))


class FloatArithmetic:
    """Tensors hold real numbers, float32."""

    def __init__(self, model: nn.Module) -> None:
        self.state = {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers())}

    def enter(self, frame: Tensor) -> Tensor:
        return frame

    def lowest(self, step: PlanStep) -> float:
        return -torch.inf

    def interpolated(self, step: PlanStep, sums: Tensor, whole: int) -> Tensor:
        return sums / whole

    def computed(self, step: PlanStep, inputs: Sequence[Tensor], see: See | None) -> Tensor:
        result = self._sum(step, inputs)
        if step.activation is None:
            return result
        if step.tabled and see is not None:
            see(step.before, result)
        return activated(step.activation, result)

    def _sum(self, step: PlanStep, inputs: Sequence[Tensor]) -> Tensor:
        x = inputs[0]
        match step.kernel:
            case "add":
                return x + inputs[1]
            case "mul":
                return x * inputs[1]
            case "concat":
                return torch.cat(list(inputs), 1)
            case "table":
                return x
            case "average_pool":
                return windowed_sums(x, step) / (step.k[0] * step.k[1])
        weight, bias = layer_numbers(step, self.state)
        sums = weighted_sums(step, x, memory_order(weight, step).to(x.dtype))
        return sums + channelwise(bias.to(x.dtype), sums)


@torch.no_grad()
def observe(model: nn.Module, plan: Plan, batch: Tensor, see: See | None = None) -> dict[str, Tensor]:
    """The real numbers of every tensor of the plan by name, also "<tensor>.before" a table, for one encoded batch.

    Maps are [n, channels, height, width]. Batch norms are at rest, whatever mode the model is in. With `see` tensors are shown
    one by one, and only the outputs are kept.
    """
    found: dict[str, Tensor] = {}
    arithmetic = FloatArithmetic(model)
    if see is not None:
        return run_plan(plan, arithmetic, batch, see)
    run_plan(plan, arithmetic, batch, found.__setitem__)
    return found

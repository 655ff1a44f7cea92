"""The steps of a plan in whole numbers on torch tensors, while gradients pass as if nothing were rounded.

A tensor holds q - zero as float32, which is exact: 0 is 0.0. In eval mode every step gives what the simulator gives, bit for bit:
sums run in float32 where a bound proves |sum| < 2^24, else in float64, and are rescaled as int64. In training sums are float32
and rescaled by the real factor, which differs in the rounding of about one number in 10^5. A gradient passes where the number
lies in the range that its step is held to, and through a table as through its function.

Batch norms stay folded with their running statistics, which stand still: what the device computes has no statistics of a batch,
and folded weights that moved with them would change their grid under the training. Their weight and bias are trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from detrt.devices.stm32.arithmetic import HIGH, LOW, Int8, Quant, Rescale
from detrt.devices.stm32.entry import entries, entry_of
from detrt.devices.stm32.floating import activated, channelwise, weighted_sums
from detrt.devices.stm32.folding import Grid, memory_order, nearest
from detrt.devices.stm32.functions import requantising, table
from detrt.devices.stm32.kernels import EXACT_FLOAT32
from detrt.devices.stm32.plan import Activation, Plan, PlanStep
from detrt.devices.stm32.quantising import add_multipliers, before_table, factors, fixed_point, layer_grid, limits
from detrt.devices.stm32.quants import Range, tensor_quants
from detrt.devices.stm32.running import See, run_plan, windowed_sums
from detrt.errors import DetrtError


class _StraightThrough(torch.autograd.Function):
    """The whole number forward, the gradient of the number before rounding backward."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, whole: Tensor) -> Tensor:
        return whole.view_as(whole)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


def straight(value: Tensor, whole: Tensor) -> Tensor:
    """`whole`, whose gradient goes to `value`."""
    if not (torch.is_grad_enabled() and value.requires_grad):
        return whole
    result: Tensor = _StraightThrough.apply(value, whole.to(value.dtype))  # type: ignore[no-untyped-call]
    return result


class Settings:
    """All that a plan's steps need besides weights: Quants of tensors, how the picture is read, tables."""

    def __init__(self, plan: Plan, ranges: Mapping[str, Range], model_input: Mapping[str, Any]) -> None:
        encoding = dict(model_input.get("encoding") or {})
        self.plan = plan
        self.entry = entry_of(model_input)
        self.quants: dict[str, Quant] = tensor_quants(plan, ranges, self.entry.quant)
        self.entries = entries(plan, model_input)
        channels = int(model_input["shape"][0])
        self.scale, self.offset = float(encoding.get("scale") or 1.0), float(encoding.get("offset") or 0.0)
        self.mean = [float(v) for v in encoding.get("mean") or [0.0] * channels]
        self.std = [float(v) for v in encoding.get("std") or [1.0] * channels]

    def bytes_of(self, frame: Tensor) -> Tensor:
        """The bytes 0 .. 255 that an encoded batch was made of, whole numbers in float64."""
        mean, std = (frame.new_tensor(v, dtype=torch.float64).view(-1, 1, 1) for v in (self.mean, self.std))
        return nearest((frame.double() * std + mean - self.offset) * self.scale).clamp(0, 255)


class Int8Arithmetic:
    """Tensors hold q - zero. `exact`: as the simulator has it, else as fast as training wants it."""

    def __init__(self, settings: Settings, model: nn.Module, exact: bool) -> None:
        self.settings, self.plan, self.quants, self.exact = settings, settings.plan, settings.quants, exact
        self.state = {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers())}

    def enter(self, frame: Tensor) -> Tensor:
        return (self.settings.bytes_of(frame) - (self.settings.entry.quant.zero + 128)).float()

    def lowest(self, step: PlanStep) -> float:
        return LOW - self.quants[step.inputs[0]].zero

    def interpolated(self, step: PlanStep, sums: Tensor, whole: int) -> Tensor:
        wide = sums.detach().double()
        return straight(sums / whole, torch.floor((wide + whole // 2) / whole).float())

    def computed(self, step: PlanStep, inputs: Sequence[Tensor], see: See | None) -> Tensor:
        try:
            return self._computed(step, inputs)
        except ValueError as error:
            at = f" ({step.where})" if step.where else ""
            raise DetrtError(f"`{step.name}`{at}: {error}", remedy="calibrate on more pictures") from error

    def _computed(self, step: PlanStep, inputs: Sequence[Tensor]) -> Tensor:
        if step.kernel == "concat":
            after = self.quants[step.output]
            return torch.cat(
                [self._moved(x, self.quants[n], after) for x, n in zip(inputs, step.inputs, strict=True)], 1
            )
        if step.kernel == "table":
            before = self.quants[step.inputs[0]]
            return self._through(step.activation or Activation("identity"), inputs[0], before, self.quants[step.output])
        held = self._held(step, *self._sums(step, inputs))
        if step.activation is None or not step.tabled:
            return held
        return self._through(step.activation, held, self.quants[step.before], self.quants[step.output])

    def _sums(self, step: PlanStep, inputs: Sequence[Tensor]) -> tuple[Tensor, Rescale | int, Tensor | float]:
        """The sums of a step, how they are rescaled, and the real factor that stands for that."""
        x, scales, after = inputs[0], [self.quants[name].scale for name in step.inputs], before_table(step, self.quants)
        match step.kernel:
            case "average_pool":
                sums, factor = windowed_sums(x, step), scales[0] / (after.scale * (step.k[0] * step.k[1]))
            case "mul":
                sums, factor = x * inputs[1], scales[0] * scales[1] / after.scale
            case "add":
                pair, shift = add_multipliers(self.quants[step.inputs[0]], self.quants[step.inputs[1]], after)
                one, other = (v.double() if self.exact else v for v in inputs)
                return one * pair[0] + other * pair[1], shift, 2.0**-shift
            case _:
                grid = layer_grid(self.plan, step, self.state, self.quants, self.settings.entries)
                sums = self._products(step, x, grid)
                real = (scales[0] * grid.scales / after.scale).to(x.dtype)
                return sums, factors(step, grid, self.quants) if self.exact else 0, channelwise(real, sums)
        return sums, fixed_point(factor), factor

    def _products(self, step: PlanStep, x: Tensor, grid: Grid) -> Tensor:
        weight = memory_order(straight(grid.weight, grid.whole_weight), step)
        bias = straight(grid.bias, grid.whole_bias)
        if not self.exact:
            sums = weighted_sums(step, x, weight.float())
            return sums + channelwise(bias.float(), sums)
        bound = grid.whole_weight.abs().flatten(1).sum(1) * (HIGH - LOW) + grid.whole_bias.abs()
        kind = torch.float32 if float(bound.max()) < EXACT_FLOAT32 else torch.float64
        # No Winograd, no TF32: each product and each sum is a whole number.
        with torch.backends.cudnn.flags(enabled=False), torch.backends.nnpack.flags(enabled=False):
            sums = weighted_sums(step, x.to(kind), weight.to(kind))
        return sums + channelwise(bias.to(kind), sums)

    def _held(self, step: PlanStep, sums: Tensor, fixed: Rescale | int, factor: Tensor | float) -> Tensor:
        """Sums in steps of the output, rounded and held to the step's range."""
        after = before_table(step, self.quants)
        low, high = (end - after.zero for end in limits(step, after))
        if not self.exact:
            real = (sums * factor).clamp(low, high)
            return straight(real, nearest(real.detach()))
        wide = sums.detach()
        if isinstance(fixed, Rescale):
            whole = _rescaled(wide.long(), fixed)
        else:
            whole = torch.floor((wide + 2.0 ** (fixed - 1)) * 2.0**-fixed)
        held = whole.clamp_(low, high).float()
        if not (torch.is_grad_enabled() and sums.requires_grad):
            return held
        return straight((sums * factor).float().clamp(low, high), held)

    def _moved(self, x: Tensor, before: Quant, after: Quant) -> Tensor:
        if before == after:
            return x
        return self._looked_up(x, x * (before.scale / after.scale), requantising(before, after), before, after)

    def _through(self, activation: Activation, x: Tensor, before: Quant, after: Quant) -> Tensor:
        """Numbers of one Quant as the activation of them in another."""
        real = x
        if torch.is_grad_enabled() and x.requires_grad:
            real = activated(activation, x * before.scale) / after.scale
        return self._looked_up(x, real, table(activation, before, after), before, after)

    def _looked_up(self, x: Tensor, real: Tensor, numbers: Int8, before: Quant, after: Quant) -> Tensor:
        entries = torch.from_numpy(numbers.astype("float32") - after.zero).to(x.device)
        whole = entries[(x.detach() + (before.zero - LOW)).long()]
        return straight(real.clamp(LOW - after.zero, HIGH - after.zero), whole)


def _rescaled(sums: Tensor, fixed: Rescale) -> Tensor:
    """`arithmetic.rescale` of int64 sums [n, channels, ..]."""
    parts = (torch.from_numpy(part).to(sums.device).long() for part in (fixed.multiplier, fixed.left, fixed.right))
    multiplier, left, right = (channelwise(part, sums) for part in parts)
    wide = sums << left
    wide *= multiplier
    wide >>= 32
    wide += torch.ones_like(right) << (right - 1)
    wide >>= right
    return wide


def run_int8(
    settings: Settings, model: nn.Module, frame: Tensor, exact: bool, see: See | None = None
) -> dict[str, Tensor]:
    """Outputs by name of their tensors, as the real numbers that their int8 stands for: float32, (q - zero) * scale.

    `see` is shown every tensor as q - zero.
    """
    made = run_plan(settings.plan, Int8Arithmetic(settings, model, exact), frame, see)
    return {name: x * settings.quants[name].scale for name, x in made.items()}

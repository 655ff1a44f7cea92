"""A sigma-delta net in time on torch tensors: as lava-dl trains it, and as the chip runs it.

Trained (lava-dl 0.6.0, slayer/block/sigma_delta): what a layer sends at a step reaches the next one in the same step. On the
chip it arrives a step later, so that a frame's output comes as many steps after it as the net has layers with weights, and a
neuron with a bias sends it before the first frame arrives, which leaves its later messages at other steps. `delay_shift` is that
form, equal to the integer simulator bit for bit: the sums of every layer with weights begin with a step of 0, layers behind run
for a step longer each, and the output of frame t is that of step t + latency.

Sums are whole multiples of 2^-17 (a weight of 2^-5, a message of 2^-12), so float32 holds them exactly below 2^7 in whatever
order they are made. The chip's form proves that for each layer, or sums in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from detrt.devices.loihi2.delta import delta, q8, stored
from detrt.devices.loihi2.plan import LayerPlan, NetPlan, NeuronPlan

See = Callable[[LayerPlan, Tensor], None]
"""Called with the messages [T, N, ..] of each layer that sends some, for the frames: without what it sent before the first."""
Means = Callable[[NeuronPlan, Tensor], Tensor]
"""The means [C] that a layer with a norm subtracts from its sums [T, N, C, ..]; in the chip's form of the frames alone."""
Wrapped = Callable[[LayerPlan, int], None]
"""Called with the number of sums of a layer that left the chip's 24 bits."""

EXACT_FLOAT32 = 2.0**6
"""Half of what float32 holds in steps of 2^-17: differences of two such numbers are exact as well."""
ROOM = 2.0**3
"""More than a mean (4) and a threshold add to a sum."""
WRAP = 2.0**5
"""A step's sum of a conv is held in 24 bits in steps of 2^-18, and goes round at the ends (lava-nc 0.10.0, proc/conv)."""


def forward_in_time(
    net: NetPlan,
    tensors: Mapping[str, Tensor],
    x: Tensor,
    *,
    delay_shift: bool = False,
    exact: bool | None = None,
    means: Means | None = None,
    see: See | None = None,
    wrapped: Wrapped | None = None,
) -> Tensor:
    """Output [N, O, h, w, T] (of a dense layer [N, O, T]) of a clip x [N, C, H, W, T], float32, as the data encodes it.
    Output too is float32, which holds it exactly below 2^7. `exact` (default: as `delay_shift`) has the chip's arithmetic: sums
    that no rounding touches and that wrap, thresholds as stored; training goes without.

    `tensors` are the model's parameters and buffers by name. `means` are those of `tensors` unless given. All states begin at 0.
    """
    exact = delay_shift if exact is None else exact
    n, *sides, steps = x.shape
    x = x.movedim(-1, 0).flatten(0, 1).contiguous(memory_format=torch.channels_last).reshape(steps, n, *sides)
    late = 0
    for layer in net.layers:
        if layer.type == "flatten":
            x = x.flatten(2)
            continue
        if layer.weighted:
            x = _summed(layer, tensors, x, delay_shift, exact, wrapped)
            late += int(delay_shift)
            if layer.sigma or layer.neuron is None:
                break
            if layer.neuron.norm:
                running = tensors[f"{layer.neuron.module}.norm.running_mean"]
                mean = means(layer.neuron, x[late : late + steps] if delay_shift else x) if means else running
                x = x - _channels(q8(mean), x)
            if layer.neuron.activation == "relu":
                x = F.relu(x)
        else:
            x = q8(x)
        assert layer.neuron is not None  # as the plan was checked
        x = _sent(layer.neuron, tensors, x, exact)
        if see is not None:
            see(layer, x[late : late + steps])
        x, late = _begun_late(x, layer.delay), late + layer.delay
    return x[late : late + steps].movedim(0, -1).float()


def weight_of(layer: LayerPlan, tensors: Mapping[str, Tensor], exact: bool = True) -> Tensor:
    """The weights of a layer before they are rounded, [O, I / groups, kh, kw] or [O, I]: of the chip in float64.

    Of a weight norm, direction and length are multiplied in float64 for the chip, where the order of a sum decides no rounding
    to 1/32; in training in float32, as lava-dl does. About one weight in a million comes out 1/32 apart.
    """
    if not layer.weight_norm:
        weight = tensors[f"{layer.module}.weight"]
        return weight.double() if exact else weight
    direction, length = (tensors[f"{layer.module}.weight_{part}"] for part in "vg")
    if not exact:
        lengthened: Tensor = torch._weight_norm(direction, length, 0)
        return lengthened
    norm = direction.double().square().sum(tuple(range(1, direction.dim())), keepdim=True).sqrt()
    return direction.double() * (length.double() / norm)


def _summed(
    layer: LayerPlan, tensors: Mapping[str, Tensor], x: Tensor, delay_shift: bool, exact: bool, wrapped: Wrapped | None
) -> Tensor:
    """The sums of all steps up to each of what arrives from the layer before, [T, N, O, ..]; of the chip a step longer."""
    weight = q8(weight_of(layer, tensors, exact)).to(x.dtype)
    if not exact:
        return _begun_late(_products(layer, x, weight), int(delay_shift)).cumsum(0)
    bound = _largest(x) * float(weight.detach().abs().flatten(1).sum(1).max())
    if bound >= EXACT_FLOAT32 or not _sums_directly(x):
        x, weight = x.double(), weight.double()
    z = _products(layer, x, weight)
    if layer.type == "conv" and bound >= WRAP:
        held = torch.remainder(z + WRAP, 2 * WRAP) - WRAP
        if wrapped is not None:
            wrapped(layer, int((held != z).sum()))
        z = held
    z = _begun_late(z, int(delay_shift))
    total = z.cumsum(0)
    # The first sum that float32 cannot hold is itself beyond the bound, so this look finds it.
    if total.dtype == torch.float32 and _largest(total) >= EXACT_FLOAT32 - ROOM:
        total = z.double().cumsum(0)
    return total


def _largest(x: Tensor) -> float:
    return float(x.detach().abs().max())


def _sums_directly(x: Tensor) -> bool:
    """True where a float32 convolution multiplies and adds nothing but its terms: oneDNN does; others may transform them first
    (Winograd, FFT), which is not exact.
    """
    onednn: Any = torch.backends.mkldnn
    return bool(x.device.type == "cpu" and onednn.enabled and onednn.is_available())


def _products(layer: LayerPlan, x: Tensor, weight: Tensor) -> Tensor:
    if layer.type == "dense":
        return F.linear(x, weight)
    steps, n = x.shape[:2]
    made = F.conv2d(x.flatten(0, 1), weight, None, layer.stride, layer.pad, layer.dilation, layer.groups)
    return made.reshape(steps, n, *made.shape[1:])


def _sent(neuron: NeuronPlan, tensors: Mapping[str, Tensor], x: Tensor, exact: bool) -> Tensor:
    threshold = tensors[f"{neuron.module}.threshold"]
    if exact or not neuron.trainable:
        threshold = stored(threshold.detach())
    if len(threshold) > 1:
        threshold = _channels(threshold, x)
    sent = delta(x, threshold.to(x.dtype), neuron.tau_grad, neuron.scale_grad)
    # Multiples of 2^-12 below 2^12: float32 holds them, whatever the sums took.
    if sent.dtype == torch.float64 and _largest(sent) < 2**12:
        sent = sent.float()
    return sent


def _channels(values: Tensor, x: Tensor) -> Tensor:
    """[C] as it broadcasts over x [T, N, C, ..]."""
    return values.to(x.dtype).reshape(-1, *[1] * (x.dim() - 3))


def _begun_late(x: Tensor, steps: int) -> Tensor:
    """`steps` steps of 0 before x [T, ..]."""
    return torch.cat([x.new_zeros(steps, *x.shape[1:]), x]) if steps else x

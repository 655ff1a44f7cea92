"""Torch modules that compute as the chip does while gradients pass as if nothing were rounded.

They keep the parameter names of the modules they replace, so a checkpoint fits the plain and the quantised model alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from detrt.devices.gti5801.arithmetic import (
    ACTIVATION_MAX,
    Clipped,
    QuantizedLayer,
    fuse_batch_norm,
    quantize_layer,
    quantize_relu,
)
from detrt.devices.gti5801.simulator import EXACT_FLOAT32


class _StraightThrough(torch.autograd.Function):
    """The quantised value forward, the gradient unchanged backward."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, quantized: Tensor) -> Tensor:
        return quantized.view_as(quantized)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


PIECE = 1 << 18
"""Elements that a chain of elementwise steps works on at a time on a CPU, so that they stay in its cache."""


def _pieces(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The tensors, alike in shape and layout, cut into the same flat views; whole where that cannot be, or on a GPU."""
    order = (0, 2, 3, 1) if tensors[0].dim() == 4 else ()
    flat = [t if t.is_contiguous() or not order else t.permute(order) for t in tensors]
    if (
        tensors[0].device.type != "cpu"
        or not all(t.is_contiguous() for t in flat)
        or len({t.stride() for t in flat}) > 1
    ):
        yield tensors
        return
    yield from zip(*(torch.split(t.view(-1), PIECE) for t in flat), strict=True)


class _QuantizedRelu(torch.autograd.Function):
    """Gradient 1 inside (0, cap), 0 outside, 1/2 on the two ends: that of (|x| - |x - cap| + cap) / 2."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cap: float, levels: int) -> Tensor:
        ctx.save_for_backward(x)
        ctx.cap = cap
        result = torch.empty_like(x)
        for source, target in _pieces(x, result):
            target.copy_(quantize_relu(source, cap, levels))
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        cap = torch.tensor(ctx.cap, dtype=torch.float32)
        above = float(torch.nextafter(cap, torch.tensor(torch.inf)))
        result = torch.empty_like(x)
        for grad, source, target in _pieces(grads[0], x, result):
            inside = torch.ops.aten.hardtanh_backward(grad, source, 0.0, float(cap))
            inside += torch.ops.aten.hardtanh_backward(grad, source, -1e-37, above)
            torch.mul(inside, 0.5, out=target)
        return result, None, None


class QuantReLU(nn.Module):
    """ReLU clipped at `cap` and rounded to `levels` steps of cap / levels. float32 in and out."""

    def __init__(self, cap: float, levels: int = ACTIVATION_MAX) -> None:
        super().__init__()
        self.cap = cap
        self.levels = levels

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = _QuantizedRelu.apply(x, self.cap, self.levels)  # type: ignore[no-untyped-call]
        return result

    def extra_repr(self) -> str:
        return f"cap={self.cap:g}, levels={self.levels}"


class FoldedNorm(nn.BatchNorm2d):
    """A batch norm whose numbers the convolution before it has taken over: only their home in the checkpoint."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def fused(weight: Tensor, bias: Tensor | None, norm: nn.BatchNorm2d | None) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a convolution with the batch norm behind it, as the chip has them."""
    if norm is None:
        return weight, bias
    assert norm.running_mean is not None and norm.running_var is not None
    return fuse_batch_norm(weight, bias, norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.eps)


class QuantConv2d(nn.Conv2d):
    """A convolution with weights and bias on the chip's grid, the shift found anew in each forward pass.

    `exact`: inputs are whole numbers 0..31, and in eval mode every sum is exact: in float32 where a bound proves it, else in
    float64. `clipped` says what left the integer range in the last forward pass.
    """

    bits: int
    exact: bool
    clipped: Clipped
    _norm: tuple[nn.BatchNorm2d, ...]  # in a tuple, so that it is no child of this module

    @classmethod
    def of(cls, conv: nn.Conv2d, bits: int, norm: nn.BatchNorm2d | None) -> QuantConv2d:
        """The quantised twin of `conv`, with the very same parameters."""
        new = cls(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,  # type: ignore[arg-type]
            conv.stride,  # type: ignore[arg-type]
            conv.padding,  # type: ignore[arg-type]
            groups=conv.groups,
            bias=conv.bias is not None,
            device="meta",
        )
        new.weight, new.bias = conv.weight, conv.bias
        new.bits, new.exact, new.clipped = bits, False, Clipped()
        new._norm = () if norm is None else (norm,)
        new.training = conv.training
        return new

    def effective(self) -> tuple[Tensor, Tensor | None]:
        """Weight and bias before quantisation, batch norm folded in."""
        return fused(self.weight, self.bias, self._norm[0] if self._norm else None)

    def quantized(self) -> QuantizedLayer:
        """Weight and bias on the grid, without gradient."""
        with torch.no_grad():
            weight, bias = self.effective()
            return quantize_layer(weight.detach(), None if bias is None else bias.detach(), self.bits)

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.effective()
        layer = self.quantized()
        self.clipped = layer.clipped
        weight = _StraightThrough.apply(weight, layer.weight)  # type: ignore[no-untyped-call]
        if bias is not None:
            bias = _StraightThrough.apply(bias, layer.bias)  # type: ignore[no-untyped-call]
        if self.exact and not self.training:
            return self._exactly(x, weight, bias, layer)
        return F.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)

    def _exactly(self, x: Tensor, weight: Tensor, bias: Tensor | None, layer: QuantizedLayer) -> Tensor:
        """The convolution without a rounding: no Winograd, no TF32, and doubles where float32 might lose a bit."""
        most = float(layer.weight.abs().flatten(1).sum(1).max()) * ACTIVATION_MAX
        most += 0.0 if layer.bias is None else float(layer.bias.abs().max())
        dtype = torch.float32 if most * 2.0**layer.shift < EXACT_FLOAT32 else torch.float64
        x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
        with torch.backends.cudnn.flags(enabled=False), torch.backends.nnpack.flags(enabled=False):
            result = F.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        return result.float()

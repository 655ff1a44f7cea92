"""What carries messages between neurons: weight-normed layers, and the spreading of values (lava-nc/lava-dl@d825ac5,
slayer/synapse). Maps are [N, C, H, W] of one time step."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Size = int | tuple[int, int]


def _length(weight: Tensor) -> Tensor:
    """[out, 1, ..]: the length of the weights of each output channel."""
    return weight.square().sum(list(range(1, weight.dim())), keepdim=True).sqrt()


def _first_weights(layer: WeightNormConv2d | WeightNormLinear) -> None:
    nn.init.kaiming_uniform_(layer.weight_v, a=math.sqrt(5))
    layer.weight_v.mul_(layer.gain)
    layer.weight_g.copy_(_length(layer.weight_v))
    if layer.bias is not None:
        bound = 1 / math.sqrt(layer.weight_v[0].numel())
        nn.init.uniform_(layer.bias, -bound, bound)


class WeightNormConv2d(nn.Module):
    """2-D convolution whose weights are a direction `weight_v` and a length `weight_g` an output channel:
    w = g * v / |v| (Salimans and Kingma, 2016).

    Begins as nn.Conv2d does, `gain` times as large; so does its training, whatever a stage says of first weights.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        rows, columns = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        self.stride, self.padding, self.dilation, self.groups, self.gain = stride, padding, dilation, groups, gain
        self.weight_g = nn.Parameter(torch.empty(out_channels, 1, 1, 1))
        self.weight_v = nn.Parameter(torch.empty(out_channels, in_channels // groups, rows, columns))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """torch's first weights of nn.Conv2d, times `gain`."""
        _first_weights(self)

    @property
    def weight(self) -> Tensor:
        """The weights as they multiply: [out, in / groups, rows, columns]."""
        return self.weight_v * (self.weight_g / _length(self.weight_v))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class WeightNormLinear(nn.Module):
    """Fully connected layer [N, in] -> [N, out] whose weights are a direction `weight_v` [out, in] and a length `weight_g`
    [out, 1] an output, as those of WeightNormConv2d. Begins as nn.Linear does, `gain` times as large."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = gain
        self.weight_g = nn.Parameter(torch.empty(out_features, 1))
        self.weight_v = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.empty(out_features)) if bias else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """torch's first weights of nn.Linear, times `gain`."""
        _first_weights(self)

    @property
    def weight(self) -> Tensor:
        """The weights as they multiply: [out, in]."""
        return self.weight_v * (self.weight_g / _length(self.weight_v))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


class Unpool(nn.Module):
    """[N, C, H, W] -> [N, C, rows * H, columns * W]: each value spread over a window with one weight a place, the same for
    all channels. The weights have a direction and one length; they begin at 1, which repeats the value."""

    def __init__(self, kernel_size: Size = 2) -> None:
        super().__init__()
        rows, columns = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        self.weight_g = nn.Parameter(torch.full((1, 1, 1, 1), math.sqrt(rows * columns)))
        self.weight_v = nn.Parameter(torch.ones(1, 1, rows, columns))

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        window = (self.weight_v * (self.weight_g / _length(self.weight_v)))[0, 0]
        rows, columns = window.shape
        spread = x[:, :, :, None, :, None] * window[None, None, None, :, None, :]
        return spread.reshape(n, c, h * rows, w * columns)

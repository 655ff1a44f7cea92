"""Neurons of sigma-delta and spiking nets at rest: what they send in sum when a picture is held still.

A neuron proper works in time: it adds up what comes in and sends changes, or spikes. Held on one picture it settles, and the
forward here gives that value for one step [N, C, H, W], differentiable and without a loop over time. Left out are therefore
the deadband of `threshold`, the grid of 1/4096 of the messages and of 1/32 of input and means (lava-nc/lava-dl@d825ac5,
slayer/neuron and utils/quantize): up to those a sigma-delta net at rest is an ordinary one. So are the weights as they are
kept here: on the device they lie on a grid of 1/32 in -4 .. 254/64, and a layer that leaves that range at rest is clamped there.
Parameters and buffers are those of lava-dl, where `bias`, `threshold` and the decays are frozen; the threshold of a
neuron that is `trainable` learns, in time and not at rest, where it has no part. All take maps, and vectors [N, C].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def _frozen(value: float, count: int = 1, trainable: bool = False) -> nn.Parameter:
    return nn.Parameter(torch.full((count,), float(value)), requires_grad=trainable)


def _by_channel(values: Tensor, x: Tensor) -> Tensor:
    """[C] or [1] as it is broadcast over x [N, C, ..]."""
    return values.reshape(-1, *(1,) * (x.dim() - 2))


class MeanOnly(nn.Module):
    """Subtracts each channel's mean: of the batch in training, the running one else (momentum 0.1; Salimans and Kingma, 2016)."""

    running_mean: Tensor

    def __init__(self, num_features: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(num_features))

    def forward(self, x: Tensor) -> Tensor:
        mean = self.running_mean
        if self.training:
            mean = x.mean([axis for axis in range(x.dim()) if axis != 1])
            self.running_mean.lerp_(mean.detach().to(self.running_mean.dtype), self.momentum)
        return x - _by_channel(mean.to(x.dtype), x)


def _norm(norm: str | None, num_features: int) -> nn.Module:
    """ "mean_only_batch" or None. ValueError for another."""
    if norm not in (None, "mean_only_batch"):
        raise ValueError(f"no norm is called {norm!r}")
    return MeanOnly(num_features) if norm else nn.Identity()


class DeltaEncoder(nn.Module):
    """The first neuron: sends changes of the picture. At rest: the picture."""

    def __init__(self, threshold: float = 0.1, trainable: bool = False) -> None:
        super().__init__()
        self.bias, self.threshold = _frozen(0.0), _frozen(threshold, trainable=trainable)

    def forward(self, x: Tensor) -> Tensor:
        return x


class SigmaDelta(nn.Module):
    """Sums up changes, subtracts the channel's mean, applies `activation`, sends changes on. At rest: activation(x - mean).

    With `shared` one threshold serves all of `num_features` channels, else each has its own.
    """

    def __init__(
        self,
        num_features: int,
        threshold: float = 0.1,
        activation: str | None = None,
        norm: str | None = None,
        shared: bool = True,
        trainable: bool = False,
    ) -> None:
        super().__init__()
        self.bias, self.threshold = _frozen(0.0), _frozen(threshold, 1 if shared else num_features, trainable)
        self.norm = _norm(norm, num_features)
        self.activation = {None: nn.Identity, "relu": nn.ReLU}[activation]()

    def forward(self, x: Tensor) -> Tensor:
        value: Tensor = self.activation(self.norm(x))
        return value


class Cuba(nn.Module):
    """Leaky integrate-and-fire with current. At rest: spikes a step, 0 .. 1.

    Under a constant input x the current settles at x / current_decay = I, and the voltage of a neuron that began at 0 is
    I * (1 - (1 - d) ** n) / d after n steps, with d the decay of the voltage. It spikes when that reaches the threshold t,
    so every n = log(1 - d * t / I) / log(1 - d) steps, never where I <= d * t, each step where I >= t. The rate 1 / n is
    given without rounding n up to whole steps.
    """

    def __init__(
        self,
        num_features: int,
        threshold: float = 0.1,
        current_decay: float = 1.0,
        voltage_decay: float = 0.1,
        norm: str | None = None,
        shared: bool = True,
    ) -> None:
        super().__init__()
        self.threshold = threshold
        count = 1 if shared else num_features
        self.current_decay, self.voltage_decay = _frozen(current_decay, count), _frozen(voltage_decay, count)
        self.norm = _norm(norm, num_features)

    def forward(self, x: Tensor) -> Tensor:
        decay = _by_channel(self.voltage_decay.clamp(1e-6, 1 - 1e-6), x)
        current = self.norm(x) / _by_channel(self.current_decay, x)
        share = (decay * self.threshold / current.clamp_min(1e-12)).clamp_max(1 - 1e-6)
        rate = torch.log1p(-decay) / torch.log1p(-share)
        return torch.where(current > decay * self.threshold, rate.clamp_max(1.0), 0.0 * current)


class Sigma(nn.Module):
    """Sums up the changes of the last layer. At rest: its values."""

    def forward(self, x: Tensor) -> Tensor:
        return x

"""Activations as functions of one real number, and as tables of 256 int8 numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from detrt.devices.stm32.arithmetic import HIGH, LOW, Int8, Quant, quantise
from detrt.devices.stm32.plan import Activation
from detrt.errors import DetrtError

Real = npt.NDArray[np.float64]


def _sigmoid(x: Real) -> Real:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _hsigmoid(x: Real) -> Real:
    held: Real = np.clip(x + 3, 0, 6) / 6
    return held


def _gelu(x: Real) -> Real:
    parts: Real = np.array([math.erf(v / math.sqrt(2)) for v in x.flat], np.float64).reshape(x.shape)
    return x * 0.5 * (1 + parts)


_FUNCTIONS: dict[str, Callable[[Real], Real]] = {
    "silu": lambda x: x * _sigmoid(x),
    "hswish": lambda x: x * _hsigmoid(x),
    "hsigmoid": _hsigmoid,
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "gelu": _gelu,
    "identity": lambda x: x,
}
"""As torch's modules compute them: hsigmoid(x) = clip(x + 3, 0, 6) / 6, hswish(x) = x * hsigmoid(x), gelu with erf."""


def real(activation: Activation, x: Real) -> Real:
    """The activation of float64 numbers. DetrtError for one that is no function of one number."""
    if activation.name == "relu":
        cap = activation.values[0] if activation.values else None
        return np.clip(x, 0, math.inf if cap is None else cap)
    if activation.name == "leaky":
        slope = activation.values[0] if activation.values else None
        return np.where(x >= 0, x, x * (0.1 if slope is None else slope))
    if activation.name not in _FUNCTIONS:
        raise DetrtError(f"there is no table of the activation `{activation.name}`")
    return _FUNCTIONS[activation.name](x)


def table(activation: Activation, before: Quant, after: Quant) -> Int8:
    """int8 [256]: for each number q of Quant `before`, at q + 128, the activation of what it stands for in Quant `after`."""
    numbers: Real = np.arange(LOW, HIGH + 1, dtype=np.float64)
    return quantise(real(activation, (numbers - before.zero) * before.scale), after)


def requantising(before: Quant, after: Quant) -> Int8:
    """int8 [256]: the same real numbers in another Quant."""
    return table(Activation("identity"), before, after)

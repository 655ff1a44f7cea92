"""How weights and biases lie in the C code, where that is not how a Program holds them.

Convolutions and dense layers multiply two filters at a time: one load of four bytes gives two weights of each of the two, and
`SXTB16` parts them (Cortex-M4, M7); a de-interleaving load (`VLD2`) parts 16 of each (M55). So the filters of a pair lie number
by number:

    a[0] b[0] a[1] b[1] .. a[k-1] b[k-1]   c[0] d[0] ..   [the last filter of an odd number of them, as it is]

That takes no byte more than the weights have.
"""

from __future__ import annotations

import numpy as np

from detrt.devices.stm32.arithmetic import Int8, Int32, Int64


def paired(weight: Int8, groups: int = 1) -> Int8:
    """int8 [out, ..] -> int8 [elements]: the filters of each group in pairs, group by group."""
    return np.concatenate([_paired(part) for part in np.split(weight.reshape(len(weight), -1), groups)])


def _paired(filters: Int8) -> Int8:
    even = len(filters) // 2 * 2
    pairs = filters[:even].reshape(even // 2, 2, filters.shape[1]).transpose(0, 2, 1)
    return np.concatenate([pairs.reshape(-1), filters[even:].reshape(-1)])


def folded_bias(weight: Int8, bias: Int32, zero_in: int) -> Int32:
    """int32 [out]: bias - zero_in * sum of each filter's weights, so that a kernel multiplies the inputs as they are.

    `weight` int8 [out, ..]: of a depthwise step `weight.reshape(-1, channels).T`. OverflowError where a number leaves 32 bits:
    the proof that accumulators stay within them (sum |w| * 256 + |bias| < 2^31) excludes it.
    """
    sums: Int64 = weight.reshape(len(weight), -1).astype(np.int64).sum(1)
    folded = bias.astype(np.int64) - zero_in * sums
    if len(folded) and (folded.max() > 2**31 - 1 or folded.min() < -(2**31)):
        raise OverflowError("a bias leaves 32 bits when the zero of its input is folded into it")
    return folded.astype(np.int32)


def narrow(weight: Int8) -> bool:
    """Whether no weight is -128: two products with int8 numbers then add up in 16 bits."""
    return bool((weight > -128).all())

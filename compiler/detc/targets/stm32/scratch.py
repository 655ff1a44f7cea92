"""Bytes of scratch that each C kernel needs: the same numbers as the DETC_*_SCRATCH of detc_kernels.h (a test compiles both).

Scratch lies at multiples of `ALIGNMENT`.
"""

from __future__ import annotations

ALIGNMENT = 8


def conv(k: tuple[int, int], channels: int, groups: int = 1, pad: tuple[int, int, int, int] = (0, 0, 0, 0)) -> int:
    """A convolution of `channels` input channels. Four patches of the input, widened to 16 bits, and one as it is."""
    products = k[0] * k[1] * channels // groups
    widened = -(-products // 2) * 16
    if k == (1, 1) and groups == 1 and not any(pad):
        return widened  # pixels need no patch
    return -(-products // 4) * 4 + widened


def depthwise(k: tuple[int, int], channels: int) -> int:
    """A pixel of the number that pads, pointers to a window (of 8 bytes on a host), and the weights as pairs of 16 bits."""
    pairs = (k[0] * k[1] + 1) // 2
    return -(-channels // 8) * 8 + pairs * (16 + 4 * channels)


def dense(inputs: int) -> int:
    """The input, widened to 16 bits."""
    return -(-inputs // 2) * 4

"""Where the output of a kernel may lie over its input: the distances that the C kernels promise (`c/kernels/detc_kernels.h`).

Kernels write the pixels of a map in the order of memory. Let low(p) be the lowest byte of the input that is read for pixel p of
the output or a later one, and c the output's channels. While pixel p is computed, the pixels before p + AHEAD may be written
already; so nothing is lost as long as, for all p,

    output + (p + AHEAD) * c <= input + low(p).

The distance of a step is the largest of (p + AHEAD) * c - low(p), or 0: the output may begin that many bytes below its input, or
further below. All this holds for an input that nobody reads later; every other one lies apart.
"""

from __future__ import annotations

from detc.targets.stm32.steps import Step, Steps, map_shape

AHEAD = {"conv": 0, "depthwise": 1, "max_pool": 1, "average_pool": 1, "shuffle": 1, "space_to_depth": 1}
"""DETC_*_AHEAD of the kernels that go from pixel to pixel, in pixels."""

IN_PLACE = frozenset(("add", "mul", "table", "channels"))
"""Kernels that read every number before they write at its place or above."""


def distance(steps: Steps, step: Step, tensor: str) -> int | None:
    """Bytes by which the output has to begin below the input in storage `tensor`; None where it must lie apart from it."""
    reads = [name for name in step.inputs if steps.storage(name) == tensor]
    if step.kernel in IN_PLACE:
        same = all(steps.bytes(name) >= steps.bytes(step.output) for name in reads)
        return 0 if same else None  # a value a channel is read again for every pixel
    if step.kernel not in AHEAD or (step.kernel == "conv" and step.attributes["groups"] != 1):
        return None
    return _window(map_shape(steps.tensors[reads[0]]), map_shape(steps.tensors[step.output]), step)


def _window(source: tuple[int, int, int], target: tuple[int, int, int], step: Step) -> int:
    """The largest (p + AHEAD) * c - low(p) over the pixels of a map.

    Along a row, and from row to row, the difference is linear once the window has left the padding; so its largest value lies at
    an end, or where the padding is left.
    """
    (_, width, channels), (rows, columns, out) = source, target
    block = step.attributes.get("block", 1)
    stride, pad = step.attributes.get("stride", (block, block)), step.attributes.get("pad", (0, 0))
    ahead, pixels, most = AHEAD[step.kernel], rows * columns, 0
    most = min(ahead, pixels) * out
    left = pad[1] // stride[1]
    for row in {0, pad[0] // stride[0], pad[0] // stride[0] + 1, rows - 1}:
        for column in {0, left, left + 1, columns - 1}:
            if row < rows and column < columns:
                here = max(0, row * stride[0] - pad[0]) * width + max(0, column * stride[1] - pad[1])
                later = max(0, (row + 1) * stride[0] - pad[0]) * width if row + 1 < rows else here
                written = min(row * columns + column + ahead, pixels) * out
                most = max(most, written - min(here, later) * channels)
    return most

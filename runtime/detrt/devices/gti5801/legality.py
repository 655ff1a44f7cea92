"""Which networks the 5801 runs as written. The vendor's converter accepts nearly anything, so every rule is checked here.

Limits: MDK guide and toolkit tables where stated there, else measured on the vendor's converter and software chip (a size
or width is legal if the software chip gave the exact result for it).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from detrt.devices.gti5801.arithmetic import BIAS_MAX, MAX_SHIFT, WEIGHT_RANGE
from detrt.devices.gti5801.errors import NetworkError
from detrt.devices.gti5801.network import ChipNetwork, MajorShape, Sublayer, ceil4

IMAGE_SIZES = (14, 28, 42, 56, 70, 84, 98, 112, 126, 140, 168, 196, 224, 448)
POOLED_LAST_SIZE = 7
MAX_MAJORS = 7
MAX_SUBLAYERS = 12
MAX_CHANNELS = 1024
TEN_BIT_CHANNELS = 1023
FIRST_CHANNELS = (1, 2, 3, 4, 8, 12, 16, 32, 64, 128, 256, 512, 1024)
ACTIVATION_BYTES = 3 * 2**20


def map_bytes(channels: int, size: int) -> int:
    """Bytes of one map in the activation ring: 5-bit values of a 14x14 tile packed into 128 bytes."""
    return ceil4(channels) * size * size * 32 // 49


def _shape_problems(number: int, shape: MajorShape, last: bool) -> Iterator[str]:
    at = f"major layer {number}"
    if shape.image_size not in IMAGE_SIZES:
        yield f"{at}: image size {shape.image_size} is not one of {', '.join(map(str, IMAGE_SIZES))}"
        return
    if shape.bits not in WEIGHT_RANGE:
        yield f"{at}: coefficients have 1, 3 or 8 bits, not {shape.bits}"
    if not 1 <= len(shape.kinds) <= MAX_SUBLAYERS:
        yield f"{at}: {len(shape.kinds)} sublayers, allowed are 1 to {MAX_SUBLAYERS}"
        return
    step, outputs = (8, ceil4(shape.output_channels)) if last else (4, shape.output_channels)
    if not (0 < outputs <= MAX_CHANNELS and outputs % step == 0):
        place = "in the last major layer, rounded up to fours," if last else "between layers"
        yield f"{at}: {shape.output_channels} output channels; {place} they must be a multiple of {step}, at most {MAX_CHANNELS}"
    if number == 1 and shape.input_channels not in FIRST_CHANNELS:
        yield f"{at}: {shape.input_channels} input channels; the first layer takes {', '.join(map(str, FIRST_CHANNELS))}"
    if not 0 < shape.input_channels <= MAX_CHANNELS:
        yield f"{at}: {shape.input_channels} input channels"
        return
    yield from _kind_problems(at, shape)
    yield from _shortcut_problems(at, shape)
    if shape.ten_bits and (not last or len(shape.kinds) != 1 or shape.output_channels > TEN_BIT_CHANNELS):
        yield f"{at}: 10-bit output needs the last major layer, one sublayer and at most {TEN_BIT_CHANNELS} channels"
    if shape.pooling and shape.output_size not in IMAGE_SIZES and not (last and shape.output_size == POOLED_LAST_SIZE):
        yield f"{at}: pooling {shape.image_size} gives {shape.output_size}, which the chip cannot hold here"
    for index, used in problems_of_memory(shape):
        yield (
            f"{at}, sublayer {index}: input and output need {used:,} bytes of activation memory, "
            f"the chip has {ACTIVATION_BYTES:,}"
        )


def problems_of_memory(shape: MajorShape) -> list[tuple[int, int]]:
    """(sublayer from 1, bytes) of each sublayer whose input and stored output do not fit the activation ring together."""
    found = []
    for index, (inputs, outputs) in enumerate(shape.widths, start=1):
        size = shape.output_size if index == len(shape.kinds) else shape.image_size
        used = map_bytes(inputs, shape.image_size) + map_bytes(outputs, size)
        if used > ACTIVATION_BYTES:
            found.append((index, used))
    return found


def _kind_problems(at: str, shape: MajorShape) -> Iterator[str]:
    if not shape.depth_enable:
        return
    if "conv3x3" in shape.kinds:
        yield f"{at}: 3x3 convolutions cannot share a major layer with 1x1 or depthwise ones"
    if shape.bits != 8:
        yield f"{at}: 1x1 and depthwise kernels need 8-bit coefficients, not {shape.bits}"
    if shape.kinds == ("depthwise",):
        yield f"{at}: a single depthwise sublayer gives wrong results on the chip; add another sublayer, as a 1x1 one"
    if shape.kinds[0] == "depthwise" and shape.input_channels % 4:
        yield f"{at}: a depthwise sublayer needs a multiple of 4 channels, not {shape.input_channels}"
    if shape.input_channels != shape.output_channels and shape.kinds[:2] in (
        ("depthwise",),
        ("depthwise", "depthwise"),
    ):
        yield f"{at}: the width can change only in the first sublayer, or in the pointwise one behind a leading depthwise one"
    for index, (kind, (inputs, _)) in enumerate(zip(shape.kinds, shape.widths, strict=True), start=1):
        if kind == "pointwise" and inputs % 8:
            yield f"{at}, sublayer {index}: a 1x1 kernel needs a multiple of 8 input channels, not {inputs}"


def _shortcut_problems(at: str, shape: MajorShape) -> Iterator[str]:
    starts, count = shape.shortcuts, len(shape.kinds)
    if not starts:
        return
    if any(not 1 <= s < count for s in starts) or list(starts) != sorted(set(starts)):
        yield f"{at}: shortcut starts {list(starts)} must rise and lie in 1 to {count - 1}"
        return
    if len({s % 2 for s in starts}) > 1:
        yield f"{at}: shortcut starts {list(starts)} must be all odd or all even"
    for s in starts:
        if shape.widths[s - 1][0] != shape.widths[s][1]:
            yield f"{at}: the shortcut at {s} adds {shape.widths[s - 1][0]} channels to {shape.widths[s][1]}"
    if shape.pooling and starts[-1] == count - 1:
        yield f"{at}: a shortcut into the last sublayer of a pooled major layer; add a sublayer behind it or pool elsewhere"


def shape_problems(shapes: Sequence[MajorShape]) -> list[str]:
    """What keeps these major layers off the chip, a sentence each; weights are not looked at."""
    problems: list[str] = []
    if not 1 <= len(shapes) <= MAX_MAJORS:
        return [f"{len(shapes)} major layers, the chip has 1 to {MAX_MAJORS}"]
    for number, shape in enumerate(shapes, start=1):
        problems += _shape_problems(number, shape, number == len(shapes))
    for number, (one, two) in enumerate(pairwise(shapes), start=1):
        given = (one.output_channels, one.output_size)
        if given != (two.input_channels, two.image_size):
            problems.append(
                f"major layer {number} gives {given[0]} channels of {given[1]}, "
                f"major layer {number + 1} takes {two.input_channels} of {two.image_size}"
            )
    if any(s.learning for s in shapes) and any(s.last_layer_out for s in shapes):
        problems.append("`learning` and `last_layer_out` cannot be mixed")
    return problems


def legal_steps(kernels: npt.NDArray[np.int16]) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
    """Step of each 3-bit kernel [n, 9] and whether it can be held: values 0, 1, 2 or 4 steps, a step of at most 7 bits.

    The step is the smallest nonzero magnitude, as the vendor writes it; where that needs more than 7 bits, a half or a
    quarter of it.
    """
    size = np.abs(np.ascontiguousarray(kernels.T))  # taps first: numpy reduces long rows far faster than short ones
    step = np.where(size > 0, size, np.int16(32767)).min(axis=0)
    empty = step == 32767
    top = size.max(axis=0)
    half = (step > 127) & (step % 2 == 0) & (top <= 2 * step.astype(np.int32))
    quarter = half & (step > 254) & (step % 4 == 0) & (top == step)
    step = np.where(quarter, step // 4, np.where(half, step // 2, step))
    step[empty] = 127
    good = ((size == 0) | (size == step) | (size == 2 * step) | (size == 4 * step)).all(axis=0) & (step <= 127)
    return step, good


def _sublayer_problems(at: str, bits: int, shape: tuple[int, ...], layer: Sublayer) -> Iterator[str]:
    if layer.weight.shape != shape or layer.bias.shape != shape[:1]:
        yield f"{at}: weights {layer.weight.shape} and bias {layer.bias.shape}, expected {shape} and {shape[:1]}"
        return
    if not 0 <= layer.shift <= MAX_SHIFT:
        yield f"{at}: shift {layer.shift} is not in 0 to {MAX_SHIFT}"
    if np.abs(layer.bias).max() > BIAS_MAX:
        yield f"{at}: a bias of {int(np.abs(layer.bias).max()):,} needs more than 20 bits"
    low, high = WEIGHT_RANGE[bits]
    if layer.weight.min() < low or layer.weight.max() > high:
        worst = int(layer.weight.min() if -int(layer.weight.min()) > int(layer.weight.max()) else layer.weight.max())
        yield f"{at}: weight {worst} at shift {layer.shift} is outside {low} to {high}"
    elif bits == 3:
        bad = int((~legal_steps(layer.weight.reshape(-1, 9))[1]).sum())
        if bad:
            yield f"{at}: {bad} kernels are not made of 0, +-1, +-2 and +-4 steps, as 3-bit coefficients are"
    elif bits == 1:
        size = np.abs(layer.weight.reshape(-1, 9))
        bad = int((size != size[:, :1]).any(axis=1).sum())
        if bad:
            yield f"{at}: {bad} kernels have more than one magnitude, which 1-bit coefficients cannot"


def check_shapes(shapes: Sequence[MajorShape]) -> None:
    """NetworkError with every problem of the shapes, or nothing."""
    problems = shape_problems(shapes)
    if problems:
        raise NetworkError(problems)


def check_network(network: ChipNetwork) -> None:
    """NetworkError with every problem of shapes and integers, or nothing."""
    check_shapes(network.shapes)
    problems = []
    for number, major in enumerate(network.majors, start=1):
        if len(major.sublayers) != len(major.shape.kinds):
            problems.append(
                f"major layer {number}: {len(major.sublayers)} sublayers for {len(major.shape.kinds)} kinds"
            )
            continue
        for index, (layer, shape) in enumerate(zip(major.sublayers, major.shape.weight_shapes(), strict=True), start=1):
            problems += _sublayer_problems(f"major layer {number}, sublayer {index}", major.shape.bits, shape, layer)
    if problems:
        raise NetworkError(problems)

"""Steps that take turns row by row, in C: each as a function of a band of rows, and the stream that calls them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from detrt.devices.stm32.c.layers import Layer, Network, Slot
from detrt.devices.stm32.c.naming import comment
from detrt.devices.stm32.c.spelling import braces, map_shape
from detrt.devices.stm32.program import AveragePool, Conv, Depthwise, MaxPool, Resize, SpaceToDepth, Step
from detrt.errors import DetrtError

MOST_STEPS, MOST_INPUTS = 12, 8
"""DETC_STREAM_MOST and DETC_STREAM_INPUTS."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Row r of the output stands on rows r / grain * stride - top and the extent - 1 that follow."""

    stride: int = 1
    top: int = 0
    extent: int = 1
    grain: int = 1


def stand_of(step: Step) -> Stand:
    """How the rows of a step's output stand on those of its inputs."""
    match step:
        case Conv():
            return Stand(step.stride[0], step.pad[0], step.dilation[0] * (step.weight.shape[1] - 1) + 1)
        case Depthwise():
            return Stand(step.stride[0], step.pad[0], step.dilation[0] * (step.weight.shape[0] - 1) + 1)
        case MaxPool() | AveragePool():
            return Stand(step.stride[0], step.pad[0], step.k[0])
        case SpaceToDepth():
            return Stand(step.block, 0, step.block)
        case Resize():
            return Stand(grain=step.factor[0])
    return Stand()


def band_of(network: Network, layer: Layer, call: Callable[[list[str], str], list[str]]) -> list[str]:
    """The body of a function of a band: the parameters of the whole map, changed to those of its rows.

    `call` gives the lines of the kernel's call from the inputs and the output.
    """
    step, kernel = layer.step, layer.call.kernel
    _, width, channels = map_shape(network.program.tensors[step.output])
    part = {
        "conv": ("input.height = band->height", "output.height = band->rows", "pad.top = band->top"),
        "resize": ("input.height = band->height",),
        "add": (f"count = band->rows * {width * channels}",),
        "mul": (f"pixels = band->rows * {width}",),
    }
    part |= dict.fromkeys(("depthwise", "max_pool", "average_pool"), part["conv"])
    part |= {"space_to_depth": part["resize"], "table": part["add"]}
    part |= dict.fromkeys(("concat", "channels", "shuffle"), part["mul"])
    by_rows = _by_rows(network, step)
    inputs = [
        f"band->inputs[{by_rows.index(name)}]" if name in by_rows else f"at_{network.names[name]}"
        for name in step.inputs
    ]
    lines = [f"detc_{kernel}_params part = layer;", *(f"part.{each};" for each in part[kernel])]
    return [*lines, *call(inputs, "band->output")]


def stream_of(network: Network, slot: Slot) -> str:
    """The function that runs a stream. Raises DetrtError where it has more steps or inputs than detc_stream.h holds."""
    layers = slot.layers
    inner = {layer.step.output: number for number, layer in enumerate(layers)}
    outside: dict[str, int] = {}
    for layer in layers:
        for name in _by_rows(network, layer.step):
            if name not in inner:
                outside.setdefault(name, len(layers) + len(outside))
    numbers = inner | outside
    reads: list[int] = []
    steps, maps = [], []
    for layer in layers:
        stand, mine = stand_of(layer.step), [numbers[name] for name in _by_rows(network, layer.step)]
        if len(layers) > MOST_STEPS or len(mine) > MOST_INPUTS:
            raise DetrtError(f"the stream of `{layer.step.name}` is too long", "plan.arena", "build and export again")
        fields = (f"rows_{layer.c_name}", stand.stride, stand.top, stand.extent, stand.grain, len(mine))
        steps.append(f"{braces((*fields, f'reads + {len(reads)}' if reads else 'reads'))},")
        reads += mine
    for name in numbers:
        height, width, channels = map_shape(network.program.tensors[name])
        row = braces((network.arena.tensors[name].c, width * channels, height)) + ","
        rows = network.arena.windows.get(name)
        maps.append(f"{row} /* {comment(name)}{f': a window of {rows} rows' if rows else ''} */")
    body = [
        f"static const uint8_t reads[] = {braces(reads)};",
        "static const detc_stream_step steps[] = {",
        *(f"    {line}" for line in steps),
        "};",
        "static const detc_rows maps[] = {",
        *(f"    {line}" for line in maps),
        "};",
        f"static const detc_stream stream = {braces((len(layers), 'steps', 'maps'))};",
        "detc_run_stream(&stream);",
    ]
    lines = [
        f"/* {comment(slot.name)}: row by row */",
        f"static void run_{slot.c_name}(void)",
        "{",
        *(f"    {line}" for line in body),
        "}",
        "",
    ]
    return "\n".join(lines)


def _by_rows(network: Network, step: Any) -> list[str]:
    """The inputs that a step reads row by row: all but a value a channel."""
    heights = [map_shape(network.program.tensors[name])[0] for name in step.inputs]
    return list(dict.fromkeys(n for n, height in zip(step.inputs, heights, strict=True) if height == heights[0]))

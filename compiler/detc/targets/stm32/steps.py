"""A net as a list of kernels without weights: what is laid out in memory, quantised, simulated and printed as C.

Maps lie in memory as [height, width, channels], one byte a value; vectors as [features]. Every step writes one tensor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from detc.diagnostics import Span

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a kernel. `name` is the layer's name in the spec; `inputs` and `output` name tensors.

    `nodes` are the nodes of the graph that it computes, in order: the output is what the last of them gives. `attributes` are the
    kernel's own, plain values (see `plan.py`). `span` is the layer's text, `via` the calls that led there, outermost first.
    """

    name: str
    kernel: str
    inputs: tuple[str, ...]
    output: str
    nodes: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    activation: tuple[Any, ...] | None = None
    span: Span | None = None
    via: tuple[Span, ...] = ()


@dataclass(slots=True)
class Steps:
    """Steps in the order in which they run. `tensors` are shapes in memory; `outputs` are tensors by output of the model.

    `aliases` maps a tensor to the one whose bytes it is, in another shape. `quants` maps a tensor to the one whose Quant it has
    where that is not its own.
    """

    input: str
    tensors: dict[str, Shape] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    outputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    quants: dict[str, str] = field(default_factory=dict)

    def storage(self, tensor: str) -> str:
        """The tensor whose bytes these are."""
        while tensor in self.aliases:
            tensor = self.aliases[tensor]
        return tensor

    def bytes(self, tensor: str) -> int:
        return math.prod(self.tensors[tensor])

    def reads(self, step: Step) -> tuple[str, ...]:
        """The storages that a step reads, each once, in the order of its inputs."""
        return tuple(dict.fromkeys(self.storage(name) for name in step.inputs))

    @property
    def kept(self) -> frozenset[str]:
        """The storages that are read from outside when the net has run."""
        return frozenset(self.storage(name) for names in self.outputs.values() for name in names)

    def storages(self) -> Iterator[str]:
        """All that needs bytes of its own, in the order in which it is written."""
        yield self.input
        for step in self.steps:
            yield step.output


def map_shape(shape: Shape) -> tuple[int, int, int]:
    """Height, width, channels; a vector is a map of one pixel."""
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    return 1, 1, math.prod(shape)

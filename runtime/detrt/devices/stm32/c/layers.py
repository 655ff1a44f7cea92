"""The layers of a network as the C code has them: names, calls, places, and words for their comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from detrt.devices.stm32.c.arena import Arena, Place, arena_of
from detrt.devices.stm32.c.calls import Call, call_of
from detrt.devices.stm32.c.naming import comment, identifiers
from detrt.devices.stm32.program import Program, Step, Tensor
from detrt.errors import DetrtError

SERIES = re.compile(r"stm32([a-z]\d|wb|wba|mp\d)")
"""Families of parts, as ST's tools name them."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A step of the program; `c_name` is its name as an identifier, `scratch` the memory that its kernel works in."""

    step: Step
    c_name: str
    call: Call
    scratch: Place | None
    activation: str

    @property
    def words(self) -> str:
        return f"{self.call.words}, {self.activation}" if self.activation else self.call.words

    @property
    def constant_bytes(self) -> int:
        return sum(array.values.nbytes for array in self.call.arrays)


@dataclass(frozen=True, slots=True)
class Slot:
    """What runs in one go: a layer, or several that take turns row by row."""

    layers: tuple[Layer, ...]

    @property
    def last(self) -> Layer:
        return self.layers[-1]

    @property
    def name(self) -> str:
        return self.last.step.name if len(self.layers) == 1 else f"{self.layers[0].step.name} .. {self.last.step.name}"

    @property
    def c_name(self) -> str:
        return self.last.c_name

    @property
    def kernel(self) -> str:
        return self.last.call.kernel if len(self.layers) == 1 else "stream"

    @property
    def macs(self) -> int:
        return sum(layer.call.macs for layer in self.layers)


@dataclass(frozen=True, slots=True)
class Network:
    """Everything that is printed. `names` are C identifiers of all tensors, `slots` the layers as they run."""

    program: Program
    arena: Arena
    layers: tuple[Layer, ...]
    slots: tuple[Slot, ...]
    names: Mapping[str, str]
    source: str
    target: str
    series: str

    @property
    def input(self) -> Tensor:
        return self.program.tensors[self.program.input]

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return tuple(self.program.tensors[name] for names in self.program.outputs.values() for name in names)

    @property
    def written(self) -> set[str]:
        """Tensors that steps write."""
        return {step.output for step in self.program.steps}

    @property
    def macs(self) -> int:
        return sum(layer.call.macs for layer in self.layers)

    @property
    def constant_bytes(self) -> int:
        return sum(layer.constant_bytes for layer in self.layers)

    def described(self, name: str) -> str:
        """`stem.conv1` [48, 48, 16]"""
        return f"{comment(name)} {list(self.program.tensors[name].shape)}"


def network_of(program: Program, plan: Mapping[str, Any], lock: Mapping[str, Any]) -> Network:
    """Raises DetrtError where the plan is not the program's."""
    arena = arena_of(program, plan)
    words = identifiers(step.name for step in program.steps)
    said = {step["name"]: step.get("activation") for step in plan.get("steps", ())}
    layers = tuple(
        Layer(
            step,
            words[step.name],
            call_of(program, step, words[step.name]),
            arena.scratch.get(step.name),
            comment(" ".join(str(word) for word in said.get(step.name) or () if word is not None)),
        )
        for step in program.steps
    )
    target = lock.get("target") or {}
    source = str((lock.get("spec") or {}).get("file") or program.name)
    series = next((name for name in target.get("lineage", ()) if SERIES.fullmatch(name)), "")
    slots = _slots(layers, plan["arena"].get("streams", ()))
    return Network(
        program, arena, layers, slots, identifiers(program.tensors), source, str(target.get("name", "")), series
    )


def _slots(layers: tuple[Layer, ...], streams: Iterable[Mapping[str, Any]]) -> tuple[Slot, ...]:
    """Layers one by one, and the streams of the plan where they begin."""
    lengths = {stream["steps"][0]: stream["steps"] for stream in streams}
    slots, at = [], 0
    while at < len(layers):
        names = lengths.get(layers[at].step.name, [layers[at].step.name])
        slots.append(Slot(layers[at : at + len(names)]))
        at += len(names)
        if [layer.step.name for layer in slots[-1].layers] != list(names):
            raise DetrtError(f"the stream of `{names[0]}` is another network's", "plan.arena", "build and export again")
    return tuple(slots)

"""The layers of a network as the C code has them: names, calls, places, and words for their comments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detrt.devices.stm32.c.arena import Arena, Place, arena_of
from detrt.devices.stm32.c.calls import Call, call_of
from detrt.devices.stm32.c.naming import comment, identifiers
from detrt.devices.stm32.program import Program, Step, Tensor

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
class Network:
    """Everything that is printed. `names` are C identifiers of all tensors, `order` the names of the outputs, as they come."""

    program: Program
    arena: Arena
    layers: tuple[Layer, ...]
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
    return Network(program, arena, layers, identifiers(program.tensors), source, str(target.get("name", "")), series)

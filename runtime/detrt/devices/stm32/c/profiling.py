"""What the C code costs: instructions of every layer, the RAM that is really written, and the bytes of the linked program.

On an emulated Cortex-M, SysTick counts instructions (`-icount shift=0`), right to one tick: 40 instructions on mps2-an500. The
arena and the stack are painted before the run, so that the bytes it leaves unpainted show. On this computer, valgrind's
callgrind counts.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detrt.devices.stm32.c.building import build
from detrt.devices.stm32.c.description import read_description
from detrt.devices.stm32.c.elf import Footprint, footprint
from detrt.devices.stm32.c.machines import MACHINES, Machine
from detrt.devices.stm32.c.process import run
from detrt.errors import DetrtError

SECONDS, MACS_A_SECOND = 120.0, 0.25e6
"""How long a measured run may take; it computes two pictures."""
GREY = 114
"""Every byte of the picture: what a layer costs does not depend on it."""
CALLGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=callgrind.out")


@dataclass(frozen=True, slots=True)
class LayerCost:
    name: str
    kernel: str
    macs: int
    instructions: int


@dataclass(frozen=True, slots=True)
class Profile:
    """`resolution`: instructions by which a figure may be off. `pools` are bytes written by name of the pool, `stack` bytes of
    stack, `footprint` what the linked program takes, `parts` what is known before it is linked: `constants` of network_weights.c,
    `arena` of network.c, `boxes` of postprocess.c. All of these are measured on emulated machines only.
    """

    machine: str
    resolution: int
    layers: tuple[LayerCost, ...]
    postprocess: int
    pools: Mapping[str, int]
    stack: int
    footprint: Footprint | None
    parts: Mapping[str, int]

    @property
    def instructions(self) -> int:
        return sum(layer.instructions for layer in self.layers) + self.postprocess

    @property
    def ram(self) -> int:
        """Bytes of RAM in all: data, zeros (the arena is among them) and stack; 0 where they were not measured."""
        return self.footprint.ram + self.stack if self.footprint else 0

    def as_dict(self) -> dict[str, Any]:
        macs = sum(layer.macs for layer in self.layers)
        return {
            "machine": self.machine,
            "about": MACHINES[self.machine].about,
            "resolution": self.resolution,
            "instructions": self.instructions,
            "macs": macs,
            "macs_per_instruction": _ratio(macs, self.instructions),
            "postprocess": self.postprocess,
            "layers": [
                {
                    "name": layer.name,
                    "kernel": layer.kernel,
                    "macs": layer.macs,
                    "instructions": layer.instructions,
                    "macs_per_instruction": _ratio(layer.macs, layer.instructions),
                }
                for layer in self.layers
            ],
            "arena_written": dict(self.pools),
            "stack": self.stack,
            "ram": self.ram,
            "footprint": self.footprint.as_dict() if self.footprint else None,
            "parts": dict(self.parts),
        }


def _ratio(macs: int, instructions: int) -> float:
    return round(macs / instructions, 4) if instructions else 0.0


def profile(source: Path, machine: Machine) -> Profile:
    """Of the folder c/ `source` on a machine. Raises DetrtError for want of tools, of RAM on the machine, or of time."""
    said = read_description(source)
    with tempfile.TemporaryDirectory(prefix="detc-c-") as place:
        seconds = SECONDS + sum(layer["macs"] for layer in said["layers"]) / MACS_A_SECOND
        measure = _emulated if machine.board else _counted
        return measure(said, source, machine, Path(place), seconds)


def _emulated(said: Mapping[str, Any], source: Path, machine: Machine, place: Path, seconds: float) -> Profile:
    executable = build(source, machine, "profile", place / "c")
    folder = _with_picture(said, place, executable)
    run(machine.command(executable.name, counted=True), folder, seconds, f"the network on {machine.name}")
    numbers = np.fromfile(folder / "profile.bin", "<u4").tolist()
    layers, pools = said["layers"], said["pools"]
    if len(numbers) != len(layers) + 1 + len(pools) + 1:
        raise DetrtError(
            f"the network on {machine.name} measured {len(numbers)} numbers", source, "export the model again"
        )
    counts = [round(ticks * machine.instructions_a_tick) for ticks in numbers[: len(layers) + 1]]
    return Profile(
        machine.name,
        round(machine.instructions_a_tick),
        _costs(said, counts),
        counts[len(layers)],
        {pool["name"]: written for pool, written in zip(pools, numbers[len(layers) + 1 :], strict=False)},
        numbers[-1],
        footprint(executable),
        _parts(executable.parent),
    )


def _parts(built: Path) -> dict[str, int]:
    """Bytes that the report names, as the compiler made them: read from the object files in the folder `built`."""
    boxes = built / "postprocess.o"
    return {
        "constants": footprint(built / "network_weights.o").text,
        "arena": footprint(built / "network.o").bss,
        "boxes": footprint(boxes).bss if boxes.exists() else 0,
    }


def _counted(said: Mapping[str, Any], source: Path, machine: Machine, place: Path, seconds: float) -> Profile:
    if shutil.which("valgrind") is None:
        raise DetrtError("no valgrind found on PATH", "--on host", "apt-get install valgrind")
    executable = build(source, machine, "runner", place / "c", "-fno-optimize-sibling-calls")
    folder = _with_picture(said, place, executable)
    run([*CALLGRIND, f"./{executable.name}"], folder, 100 * seconds, "the network under callgrind")
    counted = callgrind_costs((folder / "callgrind.out").read_text(encoding="utf-8", errors="replace"))
    counts = [counted.get(layer["function"], 0) for layer in said["layers"]]
    return Profile(machine.name, 0, _costs(said, counts), counted.get("postprocess", 0), {}, 0, None, {})


def _with_picture(said: Mapping[str, Any], place: Path, executable: Path) -> Path:
    folder = place / "run"
    folder.mkdir()
    (folder / "input.bin").write_bytes(bytes([GREY]) * said["input"])
    shutil.copy2(executable, folder / executable.name)
    return folder


def _costs(said: Mapping[str, Any], counts: list[int]) -> tuple[LayerCost, ...]:
    return tuple(
        LayerCost(layer["name"], layer["kernel"], layer["macs"], count)
        for layer, count in zip(said["layers"], counts, strict=False)
    )


def callgrind_costs(text: str) -> dict[str, int]:
    """Instructions of each function with all that it calls, from a file of callgrind: the sum over its callers.

    A function is named once, `cfn=(12) name`, and by its number from then on; behind `calls=` stands a line with its cost.
    """
    names: dict[str, str] = {}
    costs: dict[str, int] = {}
    called, awaited = "", False
    for line in text.splitlines():
        if awaited:
            costs[called] = costs.get(called, 0) + int(line.split()[1])
            awaited = False
        elif found := re.match(r"(c?fn)=\((\d+)\)(?: (.*))?", line):
            kind, number, name = found.groups()
            if name is not None:
                names[number] = name
            if kind == "cfn":
                called = names.get(number, "")
        elif line.startswith("calls="):
            awaited = True
    return costs

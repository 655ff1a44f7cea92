"""Instructions per MAC of the STM32 kernels on emulated Cortex-M4, M7 and M55, against plain loops in the same binary.

QEMU counts instructions, not cycles: with `-icount shift=0` SysTick advances with them, right to one tick. Both are compiled with
the same flags, and their outputs are compared.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detrt.devices.stm32 import c
from detrt.devices.stm32.arithmetic import rescale_of
from detrt.devices.stm32.c.machines import MACHINES, Machine
from detrt.devices.stm32.c.weights_layout import folded_bias, paired

HOME = Path(c.__file__).parent
FLAGS = [
    "-O2",
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffp-contract=off",
    "-ffunction-sections",
    "-fdata-sections",
]
CORES = {"qemu-m4": ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"], "qemu-m7": ["-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16"],
         "qemu-m55": ["-mcpu=cortex-m55"]}  # fmt: skip
ZERO_IN, ZERO_OUT = -3, 5


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution of a square map: `size` pixels a side, `k` numbers a side of the window, half of it padded."""

    name: str
    size: int
    inputs: int
    outputs: int
    k: int = 1
    stride: int = 1
    depthwise: bool = False

    @property
    def out(self) -> int:
        return (self.size - 1) // self.stride + 1

    @property
    def macs(self) -> int:
        return self.out**2 * self.outputs * self.k**2 * (1 if self.depthwise else self.inputs)

    @property
    def scratch(self) -> str:
        if self.depthwise:
            return f"DETC_DEPTHWISE_SCRATCH({self.k**2}, {self.inputs})"
        return f"DETC_CONV_SCRATCH({self.k**2 * self.inputs})"


LAYERS = (
    Layer("pointwise 64 to 64", 16, 64, 64),
    Layer("pointwise 16 to 32", 16, 16, 32),
    Layer("3x3 32 to 32", 16, 32, 32, k=3),
    Layer("3x3 stride 2, 3 to 16", 32, 3, 16, k=3, stride=2),
    Layer("depthwise 3x3, 64", 20, 64, 64, k=3, depthwise=True),
    Layer("depthwise 3x3, 16", 20, 16, 16, k=3, depthwise=True),
    Layer("depthwise 5x5, 32", 16, 32, 32, k=5, depthwise=True),
)


def header(layers: tuple[Layer, ...]) -> str:
    """layers.h: random weights, and factors that spread the outputs over int8."""
    rng = np.random.default_rng(0)
    arrays, rows = [], []

    def array(name: str, kind: str, numbers: np.ndarray) -> str:
        arrays.append(f"static const {kind} {name}[] = {{{', '.join(map(str, numbers.reshape(-1).tolist()))}}};")
        return name

    for i, layer in enumerate(layers):
        inner = 1 if layer.depthwise else layer.inputs
        weight = rng.integers(-127, 128, (layer.outputs, layer.k, layer.k, inner), dtype=np.int8)
        bias = rng.integers(-1000, 1000, layer.outputs, dtype=np.int32)
        factors = rescale_of(rng.uniform(0.5, 2, layer.outputs) * 0.01 / np.sqrt(layer.k**2 * inner))
        assert not factors.left.any()
        held = weight[..., 0].transpose(1, 2, 0) if layer.depthwise else weight
        laid = held if layer.depthwise else paired(weight)
        names = ", ".join(
            array(f"{name}{i}", kind, numbers)
            for name, kind, numbers in (
                ("weights", "int8_t", held),
                ("laid", "int8_t", laid),
                ("bias", "int32_t", bias),
                ("folded", "int32_t", folded_bias(weight, bias, ZERO_IN)),
                ("multiplier", "int32_t", factors.multiplier),
                ("right", "uint8_t", factors.right),
            )
        )
        shapes = f"{{{layer.size}, {layer.size}, {layer.inputs}}}, {{{layer.out}, {layer.out}, {layer.outputs}}}"
        numbers = f"{layer.k}, {layer.stride}, {layer.k // 2}, {ZERO_IN}, {int(layer.depthwise)}"
        rows.append(f"    {{{shapes}, {numbers}, {names}, {{{ZERO_OUT}, -128, 127, 0}}}},")
    most = {
        "INPUT": max(layer.size**2 * layer.inputs for layer in layers),
        "OUTPUT": max(layer.out**2 * layer.outputs for layer in layers),
    }
    defines = [f"#define MOST_{name} {bytes}" for name, bytes in most.items()]
    largest = "0"
    for layer in layers:
        largest = f"MORE({layer.scratch}, {largest})"
    defines += ["#define MORE(a, b) ((a) > (b) ? (a) : (b))", f"#define MOST_SCRATCH {largest}"]
    return "\n".join([*defines, *arrays, "static const layer layers[] = {", *rows, "};", ""])


def measured(machine: Machine, folder: Path, flags: list[str]) -> dict[str, dict[str, float]]:
    """Instructions per MAC by layer."""
    program = folder / f"{machine.target}.elf"
    boards, kernels = HOME / "boards", HOME / "kernels"
    subprocess.run(
        [
            "arm-none-eabi-gcc", *CORES[machine.name], "-mthumb", "-mfloat-abi=hard", *FLAGS, *flags, f"-I{folder}",
            f"-I{kernels}", f"-I{boards}", str(boards / "start.c"), str(Path(__file__).with_suffix(".c")),
            *(str(path) for path in sorted(kernels.glob("*.c"))), "-nostartfiles", "-Wl,--gc-sections", f"-L{boards}",
            f"-T{boards / machine.board}.ld", "-o", str(program),
        ],
        check=True,
    )  # fmt: skip
    command = machine.command(str(program), counted=True)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=True)
    found = {}
    for layer, line in zip(LAYERS, (done.stdout + done.stderr).splitlines(), strict=True):
        ours, plain, same = (int(word) for word in line.split())
        if not same:
            raise SystemExit(f"{machine.name}: {layer.name} differs from the plain loops")
        counts = [ticks * machine.instructions_a_tick / layer.macs for ticks in (ours, plain)]
        found[layer.name] = {
            "kernel": round(counts[0], 3),
            "plain": round(counts[1], 3),
            "ratio": round(counts[1] / counts[0], 1),
        }
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "layers.h").write_text(header(LAYERS))
        emulated = [machine for machine in MACHINES.values() if machine.board]
        result = {machine.name: measured(machine, Path(name), sys.argv[1:]) for machine in emulated}
    print(json.dumps({"flags": [*FLAGS, *sys.argv[1:]], "instructions_per_mac": result}, indent=1))

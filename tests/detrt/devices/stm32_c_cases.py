"""C programs that run single kernels and print a hash of each output, for this machine and for emulated Cortex-M.

All arrays have exactly the bytes that a kernel may touch, so that a sanitiser sees one that is left.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from stm32_cases import Case
from stm32_loops import window

import detrt.devices.stm32.c as home
from detc.targets.stm32 import scratch
from detrt.devices.stm32 import program as p
from detrt.devices.stm32.arithmetic import Rescale
from detrt.devices.stm32.c.weights_layout import folded_bias, narrow, paired

FOLDER = Path(home.__file__).parent
KERNELS, BOARDS = FOLDER / "kernels", FOLDER / "boards"
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-ffp-contract=off")
CORES = {
    "netduinoplus2": ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"),
    "mps2-an500": ("-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16"),
    "mps3-an547": ("-mcpu=cortex-m55",),
}
PRELUDE = """
#include "detc_kernels.h"
#include <string.h>
#if defined(__arm__)
#include "semihosting.h"
static void print(const char *text) { semihosting(SEMIHOSTING_WRITE0, text); }
#else
#include <stdio.h>
static void print(const char *text) { fputs(text, stdout); }
#endif
static void report(const int8_t *numbers, int32_t count)
{
    uint32_t hash = 2166136261u;
    char text[10] = "00000000\\n";
    for (int32_t i = 0; i < count; i++) hash = (hash ^ (uint8_t)numbers[i]) * 16777619u;
    for (int32_t i = 7; i >= 0; i--, hash >>= 4) text[i] = "0123456789abcdef"[hash & 15u];
    print(text);
}
"""


def fnv(numbers: npt.NDArray[np.int8]) -> str:
    """FNV-1a of the bytes, as the C programs print it."""
    value = 2166136261
    for byte in np.ascontiguousarray(numbers).tobytes():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return f"{value:08x}"


class Text:
    """The constants and the call of one case."""

    def __init__(self, case: Case, number: int) -> None:
        self.case, self.number = case, number
        self.lines: list[str] = []

    def array(self, name: str, kind: str, numbers: npt.ArrayLike) -> str:
        """A constant array; its name."""
        whole = f"c{self.number}_{name}"
        values = ", ".join(str(n) for n in np.asarray(numbers).reshape(-1).tolist())
        self.lines.append(f"static const {kind} {whole}[] = {{{values}}};")
        return whole

    def rescales(self, factors: Rescale) -> str:
        left = self.array("left", "uint8_t", factors.left) if factors.left.any() else "0"
        multiplier = self.array("multiplier", "int32_t", factors.multiplier)
        return f"{{{multiplier}, {left}, {self.array('right', 'uint8_t', factors.right)}}}"

    def to(self, step: p.Conv | p.Add) -> str:
        table = getattr(step, "table", None)
        name = "0" if table is None else self.array("table", "int8_t", table)
        return f"{{{self.case.output.quant.zero}, {step.low}, {step.high}, {name}}}"

    def weighted(self, step: p.Conv, weight: npt.NDArray[np.int8], laid: npt.NDArray[np.int8]) -> str:
        bias = folded_bias(weight, step.bias, self.case.zero_in)
        weights, biases = self.array("weights", "int8_t", laid), self.array("bias", "int32_t", bias)
        return (
            f".weights = {weights}, .bias = {biases}, .rescale = {self.rescales(step.rescale)}, .to = {self.to(step)}"
        )


def _list(numbers: Sequence[int]) -> str:
    return "{" + ", ".join(map(str, numbers)) + "}"


def _window_fields(case: Case, k: tuple[int, int]) -> str:
    shapes = f".input = {_list(case.inputs[0].shape)}, .output = {_list(case.output.shape)}"
    return f"{shapes}, .kernel = {_list(k)}, .stride = {_list(case.step.stride)}, .pad = {_list(case.step.pad[:2])}"  # type: ignore[attr-defined]


def _rescale(factors: Rescale) -> str:
    return _list([int(factors.multiplier[0]), int(factors.left[0]), int(factors.right[0])])


def _fields(case: Case, text: Text) -> tuple[str, str, int]:
    """The kernel's name, the fields of its parameters, and the scratch that it needs."""
    step, shape = case.step, case.inputs[0].shape
    pixels = int(np.prod(shape[:-1]))
    match step:
        case p.Conv():
            k = (step.weight.shape[1], step.weight.shape[2])
            fields = f"{_window_fields(case, k)}, .dilation = {_list(step.dilation)}, .groups = {step.groups}"
            fields += f", .zero_in = {case.zero_in}, " + text.weighted(
                step, step.weight, paired(step.weight, step.groups)
            )
            return "conv", fields, scratch.conv(k, shape[2], step.groups, step.pad)
        case p.Depthwise():
            k = (step.weight.shape[0], step.weight.shape[1])
            fields = (
                f"{_window_fields(case, k)}, .dilation = {_list(step.dilation)}, .narrow = {int(narrow(step.weight))}"
            )
            filters = step.weight.reshape(-1, shape[2]).T
            fields += f", .zero_in = {case.zero_in}, " + text.weighted(step, filters, step.weight)  # type: ignore[arg-type]
            return "depthwise", fields, scratch.depthwise(k, shape[2])
        case p.Dense():
            fields = f".inputs = {shape[0]}, .outputs = {len(step.weight)}, "
            fields += text.weighted(step, step.weight, paired(step.weight))  # type: ignore[arg-type]
            return "dense", fields, scratch.dense(shape[0])
        case p.MaxPool():
            return "max_pool", _window_fields(case, step.k), 0
        case p.AveragePool():
            fields = f"{_window_fields(case, step.k)}, .zero_in = {case.zero_in}, .rescale = {_rescale(step.rescale)}"
            return "average_pool", f"{fields}, .to = {text.to(step)}", 0  # type: ignore[arg-type]
        case p.Add():
            numbers = [case.inputs[0].size, case.zero_in, case.quants[1].zero, *step.multipliers, step.shift]
            return "add", f"{_list(numbers)[1:-1]}, {text.to(step)}", 0
        case p.Mul():
            broadcast = int(case.inputs[1].shape != shape)
            numbers = [pixels, shape[2], broadcast, case.zero_in, case.quants[1].zero]
            return "mul", f"{_list(numbers)[1:-1]}, {_rescale(step.rescale)}, {text.to(step)}", 0  # type: ignore[arg-type]
        case p.Concat():
            name = "0"
            if any(t is not None for t in step.tables):
                name = f"c{text.number}_tables"
                tables = ["0" if t is None else text.array(f"table{i}", "int8_t", t) for i, t in enumerate(step.tables)]
                text.lines.append(f"static const int8_t *const {name}[] = {{{', '.join(tables)}}};")
            channels = text.array("channels", "int32_t", [x.shape[2] for x in case.inputs])
            return "concat", f"{pixels}, {len(case.inputs)}, {channels}, {name}", 0
        case p.Table():
            return "table", f"{case.inputs[0].size}, {text.array('table', 'int8_t', step.table)}", 0
        case p.Resize():
            return "resize", f"{_list(shape)}, {_list(step.factor)}, {int(step.bilinear)}", 0
        case p.Channels():
            return "channels", f"{pixels}, {shape[2]}, {step.first}, {step.count}, {step.every}", 0
        case p.Shuffle():
            return "shuffle", f"{pixels}, {shape[2]}, {step.groups}", 0
        case p.SpaceToDepth():
            name = f"c{text.number}_order"
            text.lines.append(f"static const detc_pair {name}[] = {{{', '.join(map(_list, step.order))}}};")
            return "space_to_depth", f"{_list(shape)}, {step.block}, {name}", 0
        case p.Pad():
            return "pad", f"{_list(shape)}, {_list(case.output.shape)}, {_list(step.pad[:2])}, {case.zero_in}", 0
        case p.Reorder():
            return "reorder", f"{_list(shape)}, {_list(step.axes)}", 0
    raise TypeError(type(step).__name__)


AHEAD = {p.Conv: "DETC_CONV_AHEAD", p.Depthwise: "DETC_DEPTHWISE_AHEAD", p.MaxPool: "DETC_MAX_POOL_AHEAD",
         p.AveragePool: "DETC_AVERAGE_POOL_AHEAD", p.Shuffle: "DETC_SHUFFLE_AHEAD",
         p.SpaceToDepth: "DETC_SPACE_TO_DEPTH_AHEAD"}  # fmt: skip


def closest(case: Case, ahead: int) -> int:
    """Bytes by which the output has to begin below its input, by looking at every pixel: see `Overlap` in detc_kernels.h."""
    step, (height, width, channels) = case.step, case.inputs[0].shape
    rows, columns, out = case.output.shape
    k = step.k if isinstance(step, p.MaxPool | p.AveragePool) else None
    if isinstance(step, p.Conv):
        k = (step.weight.shape[1], step.weight.shape[2])
    elif isinstance(step, p.Depthwise):
        k = (step.weight.shape[0], step.weight.shape[1])
    block = step.block if isinstance(step, p.SpaceToDepth) else 1
    low, most = height * width * channels, 0
    for pixel in reversed(range(rows * columns)):
        y, x = divmod(pixel, columns)
        places = [(0, 0, y * block, x * block)] if k is None else window(step, k, y, x, (height, width))
        for _, _, row, column in places:
            low = min(low, (row * width + column) * channels)
        most = max(most, min(pixel + ahead, rows * columns) * out - low)
    return most


def _may_overlap(case: Case) -> bool:
    return type(case.step) in AHEAD and getattr(case.step, "groups", 1) == 1


IN_PLACE = (p.Add, p.Mul, p.Table, p.Channels)


def case_text(case: Case, number: int, ahead: dict[str, int] | None) -> str:
    """Constants and a function c<number>(). With `ahead` (the header's DETC_*_AHEAD) the output lies over its first input,
    as near as the kernel allows."""
    text = Text(case, number)
    kernel, fields, need = _fields(case, text)
    inputs = [text.array(f"x{i}", "int8_t", x) for i, x in enumerate(case.inputs)]
    size, body = case.output.bytes, []
    output = f"c{number}_output"
    if ahead is None:
        text.lines.append(f"static int8_t {output}[{size}];")
    else:
        count = case.inputs[0].size
        below = 0 if isinstance(case.step, IN_PLACE) else closest(case, ahead[AHEAD[type(case.step)]])
        text.lines.append(f"static int8_t {output}[{max(size, below + count)}];")
        body.append(f"memcpy({output} + {below}, {inputs[0]}, {count});")
        inputs[0] = f"{output} + {below}"
    text.lines.append(f"static const detc_{kernel}_params c{number}_params = {{{fields}}};")
    if kernel == "concat":
        text.lines.append(f"static const int8_t *const c{number}_inputs[] = {{{', '.join(inputs)}}};")
        inputs = [f"c{number}_inputs"]
    if kernel in ("conv", "depthwise", "dense"):
        text.lines.append(f"static int8_t c{number}_scratch[{need}] __attribute__((aligned({scratch.ALIGNMENT})));")
        inputs_and_more = [*inputs, output, f"c{number}_scratch"]
        body.append(f"memset(c{number}_scratch, 0xA5, {need});")
    else:
        inputs_and_more = [*inputs, output]
    body.append(f"detc_{kernel}(&c{number}_params, {', '.join(inputs_and_more)});")
    body.append(f"report({output}, {size});")
    lines = "\n    ".join(body)
    return "\n".join(text.lines) + f"\nstatic void c{number}(void)\n{{\n    {lines}\n}}\n"


def program_text(cases: Sequence[Case], ahead: dict[str, int] | None = None) -> str:
    """A program that prints one hash a case."""
    calls = "\n".join(f"    c{i}();" for i in range(len(cases)))
    texts = "\n".join(case_text(case, i, ahead) for i, case in enumerate(cases))
    return f"{PRELUDE}\n{texts}\nint main(void)\n{{\n{calls}\n    return 0;\n}}\n"


def overlapping(cases: Sequence[Case]) -> list[Case]:
    """Those whose output may lie over their input."""
    return [c for c in cases if _may_overlap(c) or isinstance(c.step, IN_PLACE)]


def header_numbers() -> dict[str, int]:
    """The DETC_*_AHEAD of the header."""
    words = [
        line.split() for line in (KERNELS / "detc_kernels.h").read_text().splitlines() if line.startswith("#define")
    ]
    return {w[1]: int(w[2]) for w in words if w[1].endswith("_AHEAD")}


def build(source: Path, *flags: str) -> Path:
    """The program of a source file with all kernels, for this machine."""
    program = source.with_suffix("")
    kernels = [str(path) for path in sorted(KERNELS.glob("*.c"))]
    command = ["gcc", *FLAGS, *flags, f"-I{KERNELS}", str(source), *kernels, "-o", str(program)]
    subprocess.run(command, check=True)
    return program


def build_for(machine: str, source: Path, *flags: str) -> Path:
    """The same for an emulated machine."""
    program = source.with_suffix(f".{machine}.elf")
    kernels = [str(path) for path in sorted(KERNELS.glob("*.c"))]
    link = ["-nostartfiles", "-Wl,--gc-sections", f"-L{BOARDS}", f"-T{BOARDS / machine}.ld"]
    command = [
        "arm-none-eabi-gcc",
        *CORES[machine],
        "-mthumb",
        "-mfloat-abi=hard",
        *FLAGS,
        *flags,
        "-ffunction-sections",
    ]
    command += ["-fdata-sections", f"-I{KERNELS}", f"-I{BOARDS}", str(BOARDS / "start.c"), str(source), *kernels, *link]
    subprocess.run([*command, "-o", str(program)], check=True)
    return program


def emulate(machine: str, program: Path, *options: str) -> str:
    """What an emulated program prints."""
    command = [
        "qemu-system-arm",
        "-M",
        machine,
        "-nographic",
        "-semihosting-config",
        "enable=on,target=native",
        *options,
    ]
    done = subprocess.run(
        [*command, "-kernel", str(program)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{machine}: exit {done.returncode} {done.stderr}"
    return done.stdout + done.stderr

"""The C kernels: equal to plain loops over the formulas, bit for bit, on this machine and on emulated Cortex-M4, M7 and M55."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import stm32_loops
from stm32_c_cases import build, build_for, emulate, fnv, header_numbers, overlapping, program_text
from stm32_cases import Case, cases

from detrt.devices.stm32 import kernels

Needs = Callable[[str, str], None]
SANITISED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
MANY = {"conv": 30, "pointwise": 16, "depthwise": 30, "dense": 10, "add": 8, "mul": 6, "average_pool": 8, "max_pool": 8}


def expected(some: list[Case]) -> list[str]:
    return [fnv(stm32_loops.run(c.step, c.inputs, c.quants, c.output)) for c in some]


def written(folder: Path, some: list[Case], ahead: dict[str, int] | None = None) -> Path:
    source = folder / "cases.c"
    source.write_text(program_text(some, ahead))
    return source


def same(printed: str, some: list[Case]) -> None:
    found = printed.split()
    assert len(found) == len(some)
    apart = [
        f"{i}: {c.step} {[x.shape for x in c.inputs]}"
        for i, (c, a, b) in enumerate(zip(some, found, expected(some), strict=True))
        if a != b
    ]
    assert not apart, "\n".join(apart)


def test_kernels_equal_the_formulas(tmp_path: Path, needs_program: Needs) -> None:
    needs_program("gcc", "gcc")
    some = cases(1, {}, otherwise=1)
    program = build(written(tmp_path, some), "-O0")
    same(subprocess.run([program], capture_output=True, text=True, check=True).stdout, some)


def test_the_simulator_equals_the_formulas() -> None:
    for case in cases(1, {}, otherwise=1):
        loops = stm32_loops.run(case.step, case.inputs, case.quants, case.output)
        assert np.array_equal(kernels.run(case.step, case.inputs, case.quants, case.output), loops), case.step


@pytest.mark.long
def test_kernels_stay_inside_their_arrays(tmp_path: Path, needs_program: Needs) -> None:
    needs_program("gcc", "gcc")
    some = cases(2, MANY)
    program = build(written(tmp_path, some), *SANITISED)
    same(subprocess.run([program], capture_output=True, text=True, check=True).stdout, some)


@pytest.mark.long
def test_outputs_over_their_inputs_change_nothing(tmp_path: Path, needs_program: Needs) -> None:
    needs_program("gcc", "gcc")
    some = overlapping(cases(3, MANY))
    program = build(written(tmp_path, some, header_numbers()), *SANITISED)
    same(subprocess.run([program], capture_output=True, text=True, check=True).stdout, some)


@pytest.mark.long
@pytest.mark.parametrize("machine", ["netduinoplus2", "mps2-an500", "mps3-an547"])
@pytest.mark.parametrize("over", [False, True])
def test_cortex_m_computes_the_same(machine: str, over: bool, tmp_path: Path, needs_program: Needs) -> None:
    needs_program("arm-none-eabi-gcc", "qemu")
    needs_program("qemu-system-arm", "qemu")
    some = cases(4, MANY)
    some = overlapping(some) if over else some
    program = build_for(machine, written(tmp_path, some, header_numbers() if over else None), "-O2")
    same(emulate(machine, program), some)

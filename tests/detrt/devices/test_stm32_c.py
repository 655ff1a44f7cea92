"""The C code of a network: it reads well, compiles whatever names a spec holds, and computes what the simulator computes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stm32_plans import plan_apart
from stm32_tiny import HEAD, LOCK, tiny_program

from detrt.devices.stm32 import program as steps
from detrt.devices.stm32.c import write
from detrt.devices.stm32.c.calls import _CALLS
from detrt.devices.stm32.c.naming import comment, identifiers, string
from detrt.devices.stm32.program import Program
from detrt.errors import DetrtError

Needs = Callable[[str, str], None]
GOLDENS = ("network.c", "network.h", "network_config.h", "network_weights.c", "detector.c", "ai_model_config.h")
HOSTILE = {
    "tiny": 'a net */ "quoted"',
    "stem.conv1": "*/ int main;\n#error",
    "lite.add": "lite add",
    "pool": "lite-add",
    "up": "\\",
    "both": "int",
    "frame": "ünïcode 🙂 ??/",
}


def written(folder: Path, program: Program, lock: dict[str, Any] = LOCK, **changes: Any) -> Path:
    plan = plan_apart(program) | {"steps": lock["plan"]["steps"]}
    write(program, plan, lock, HEAD | changes, folder)
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_code_of_a_tiny_network_reads_as_expected(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    folder = written(tmp_path / "c", tiny_program())
    for name in GOLDENS:
        golden(f"devices/stm32_tiny/{name}", (folder / name).read_text())


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = written(tmp_path / "one", tiny_program()), written(tmp_path / "other", tiny_program())
    assert bytes_of(one) == bytes_of(other)


def test_every_kind_of_step_has_a_call() -> None:
    kinds = {kind for kind in vars(steps).values() if isinstance(kind, type) and issubclass(kind, steps.Step)}
    assert set(_CALLS) == kinds - {steps.Step}


def test_only_kernels_that_the_network_calls_are_copied(tmp_path: Path) -> None:
    kernels = {path.name for path in (written(tmp_path / "c", tiny_program()) / "kernels").iterdir()}
    assert {"conv.c", "depthwise_mve.c", "multiply_dsp.c", "concat.c"} <= kernels
    assert not kernels & {"reorder.c", "average_pool.c", "mul.c"}


@given(st.lists(st.text(max_size=60)))
def test_identifiers_are_different_and_of_letters_digits_and_underscores(names: list[str]) -> None:
    found = identifiers(names)
    assert len(set(found.values())) == len(set(names))
    assert all(re.fullmatch("[A-Za-z0-9_]{1,60}", word) for word in found.values())


@given(st.text())
def test_a_comment_cannot_be_left_and_a_string_holds_its_bytes(text: str) -> None:
    assert "*/" not in comment(text) and "/*" not in comment(text) and "\n" not in comment(text)
    inside = string(text)[1:-1]
    assert re.fullmatch(r'(?:[ !#->@-\[\]-~]|\\["\\?]|\\[0-7]{3})*', inside)
    read = re.sub(rb"\\([0-7]{3}|.)", lambda m: bytes([int(m[1], 8)]) if len(m[1]) == 3 else m[1], inside.encode())
    assert read == text.encode("utf-8", "replace")


def test_a_plan_of_another_network_is_refused(tmp_path: Path) -> None:
    plan = plan_apart(tiny_program())
    del plan["arena"]["offsets"]["pool"]
    with pytest.raises(DetrtError, match="no place for `pool`"):
        write(tiny_program(), plan, LOCK, HEAD, tmp_path / "c")


def test_names_of_any_kind_compile(tmp_path: Path, needs_program: Needs) -> None:
    needs_program("gcc", "gcc")
    folder = written(tmp_path / "c", tiny_program(HOSTILE), options=HEAD["options"] | {"names": ['"', "*/", "??/\n"]})
    (folder / "st.c").write_text(
        '#include "ai_model_config.h"\nCLASSES_TABLE;\nconst float *anchors = AI_OD_YOLOV2_PP_ANCHORS;\n'
    )
    for name in ("network", "network_weights", "detector", "postprocess", "st"):
        command = ["gcc", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-c", f"{name}.c", "-o", f"{name}.o"]
        subprocess.run(command, cwd=folder, check=True)


def test_what_exceeds_its_budget_does_not_compile(tmp_path: Path, needs_program: Needs) -> None:
    needs_program("gcc", "gcc")
    folder = written(tmp_path / "c", tiny_program())
    config = folder / "network_config.h"
    used = int(re.search(r"NETWORK_ARENA_RAM_BYTES (\d+)", config.read_text())[1])  # type: ignore[index]
    for budget, compiles in ((used, True), (used - 1, False)):
        text = re.sub(r"(NETWORK_ARENA_RAM_BUDGET) \d+\n", rf"\1 {budget}\n", config.read_text())
        config.write_text(text)
        done = subprocess.run(["gcc", "-std=c99", "-fsyntax-only", "network.c"], cwd=folder, capture_output=True)
        assert (done.returncode == 0) == compiles


def test_a_kernel_without_enough_scratch_does_not_compile(tmp_path: Path, needs_program: Needs) -> None:
    needs_program("gcc", "gcc")
    program = tiny_program()
    plan = plan_apart(program)
    plan["arena"]["scratch"]["lite.depthwise"]["bytes"] -= 1
    write(program, plan, LOCK, HEAD, tmp_path / "c")
    done = subprocess.run(
        ["gcc", "-std=c99", "-fsyntax-only", "network.c"], cwd=tmp_path / "c", capture_output=True, text=True
    )
    assert done.returncode and "run_lite_depthwise" in done.stderr

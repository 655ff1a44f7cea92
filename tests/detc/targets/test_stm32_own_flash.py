"""The flash of detc's own C code: constants counted by hand, and every number of the target's decides something."""

from __future__ import annotations

from pathlib import Path

import pytest
from stm32_nets import facts_of, target_of

from detc.compilation import compile_spec
from detc.semantics.program import Head, Target
from detc.targets.stm32.memory_checks import check_flash
from detc.targets.stm32.own_flash import own_flash
from detc.targets.stm32.steps import Step, Steps

SPEC = """model m extends detector {
  input frame: u8[3, 16, 16] = camera(order = rgb)
  let a = frame |> conv(8, k = 3x3, s = 2, pad = 1) |> silu
  let b = a |> conv(8, k = 3x3, pad = 1, groups = 8) |> relu
  let c = a |> conv(6, k = 1x1, groups = 2)
  output d = concat(b, c) |> flatten |> linear(5)
}
"""
WEIGHTS = 8 * 27 + 8 * 9 + 6 * 4 + 5 * 14 * 64
CHANNELS = 8 + 8 + 6 + 5
TABLES = 1  # of silu; what the concat reads is read by nothing else and has its scale


def test_constants_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "m.det"
    path.write_text(SPEC, encoding="utf-8")
    done = compile_spec(path, "stm32h747i_disco")
    assert done.metrics["weights_flash_own"] == WEIGHTS + 9 * CHANNELS + 256 * TABLES
    assert done.metrics["weights_flash_own"] - done.metrics["weights_flash"] == 5 * CHANNELS + 256 * TABLES
    assert done.errors["code_flash_own_est"] == 0.15


def every_kernel(target: Target) -> Steps:
    """A step of each kernel of the target's facts, on maps of one pixel and four channels."""
    steps = Steps("x", {"x": (1, 1, 4)}, outputs={"map": ("x",)})
    facts = target.root.find("own_code")
    assert facts is not None
    for kernel in facts.facts.keys() - {
        "fixed",
        "layer",
        "move",
        "stream",
        "multiply",
        "detector",
        "map",
        "classifier",
        "error",
    }:
        steps.tensors[kernel] = (1, 1, 4)
        activation = ("silu",) if kernel == "add" else None
        steps.steps.append(Step(kernel, kernel, ("x",), kernel, (), {"k": [1, 1]}, activation))
    return steps


def figures(target: Target) -> list[float]:
    found: list[float] = []
    for kind in ("yolo_v2", "softmax"):
        flash = own_flash(every_kernel(target), True, [Head(kind, ("map",), {})], target)
        found += [flash.constants, flash.code.value, flash.code.error]
    return found


FACTS = {
    name: section
    for section in ("own_constants", "own_code")
    for name in facts_of(target_of("stm32").root.all(section)[0])
}


@pytest.mark.parametrize("name", FACTS)
def test_every_number_decides_something(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine.det").write_text(
        f"target mine extends stm32 {{ {FACTS[name]} {{ {name} = 77 }} }}", encoding="utf-8"
    )
    assert figures(target_of("mine", tmp_path)) != figures(target_of("stm32"))


def test_flash_of_what_runs_the_net_decides() -> None:
    for runtime, level in (("own", "error"), ("st", "warning")):
        target = target_of("nucleo_f411re", runtime=runtime)
        (own,) = check_flash(600 << 10, 0, target, own=True)
        (st,) = check_flash(600 << 10, 0, target, own=False)
        assert (own.code, own.level) == ("STM110", level) and "detc's C code" in own.message
        assert {own.level, st.level} == {"error", "warning"} and "ST's tool" in st.message

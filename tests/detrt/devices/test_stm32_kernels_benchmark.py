"""benchmarks/kernels.py: instructions are counted, not timed, so its aims hold on any machine."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from detrt.devices.stm32.c.machines import MACHINES

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "kernels.py"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("kernels_benchmark", BENCHMARK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.long
@pytest.mark.skipif(not BENCHMARK.exists(), reason="benchmarks are not installed")
@pytest.mark.parametrize(("name", "fewer"), [("qemu-m4", 3), ("qemu-m7", 3), ("qemu-m55", 8)])
def test_kernels_take_fewer_instructions_than_plain_loops(
    name: str, fewer: float, benchmark: ModuleType, tmp_path: Path, needs_program: Callable[[str, str], None]
) -> None:
    needs_program("arm-none-eabi-gcc", "qemu")
    needs_program("qemu-system-arm", "qemu")
    (tmp_path / "layers.h").write_text(benchmark.header(benchmark.LAYERS))
    found = benchmark.measured(MACHINES[name], tmp_path, [])
    assert all(counts["ratio"] >= fewer for counts in found.values()), found

"""The pieces of benchmarks/training.py on a tiny net; no time is judged."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("torch")

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "training.py"
EPOCHS = 2


def loaded(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Counted:
    """Turns that nobody has to give."""

    def __init__(self) -> None:
        self.log = ""

    def begin(self) -> None:
        self.log += "("

    def end(self) -> None:
        self.log += ")"


@pytest.mark.skipif(not BENCHMARK.exists(), reason="benchmarks are not installed")
def test_engine_and_loops_train_the_same_project_epoch_by_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = loaded(BENCHMARK, "training_benchmark")
    size = {"pictures": 2, "batch": 1, "epochs": EPOCHS}
    benchmark.build("yolox_nano", ["width=0.0625", "image=64", "classes=3"], tmp_path / "project", size)
    model = loaded(tmp_path / "project" / "model.py", "tiny_model").YoloxNano
    for mode in ("default", "channels_last"):
        turns = Counted()
        benchmark.loop(tmp_path / "project", model, mode, turns)
        assert turns.log == "()" * EPOCHS
    for mode in ("engine", "with_loader"):
        turns = Counted()
        benchmark.engine(tmp_path / "project", model, mode, turns)
        assert turns.log == "()" * EPOCHS


@pytest.mark.skipif(not BENCHMARK.exists(), reason="benchmarks are not installed")
def test_a_child_gives_its_epochs_one_a_turn() -> None:
    benchmark = loaded(BENCHMARK, "training_benchmark")
    source = "for _ in range(2): print('ready', flush=True); input(); print('[0.5, 1.5]', flush=True)"
    child = benchmark.Child([sys.executable, "-c", source])
    child.turn()
    child.turn()
    child.close()
    assert child.epochs == [(0.5, 1.5)] * 2


@pytest.mark.skipif(not BENCHMARK.exists(), reason="benchmarks are not installed")
def test_a_child_that_stops_is_told() -> None:
    benchmark = loaded(BENCHMARK, "training_benchmark")
    with pytest.raises(SystemExit, match="stopped"):
        benchmark.Child([sys.executable, "-c", "print('no')"])

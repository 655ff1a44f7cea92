"""The recorded runs: their checkpoints score again what their result.json says, down to the last bit of the figure."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
CELLS = [("bccd-gti5801", "chip"), ("bccd-stm32", "int8"), ("bccd-ssdlite-stm32", "int8")]
"""Examples, and the stage of each whose numbers are the device's."""
SHAPES = ("ssdlite_mobilenetv2", "st_yolo_lc_v1")
INT8 = [
    ("bccd-stm32/recorded", "float"),
    ("bccd-ssdlite-stm32/recorded", "float"),
    *((f"int8-shapes/recorded/{name}", "detect") for name in SHAPES),
]
"""Recorded runs on STM32, and the stage of each that the int8 net is to match."""


RUN = "import json, sys; from detc.cli import main; sys.exit(max(map(main, json.loads(sys.argv[1]))))"
"""Several commands in one process: importing torch takes longer than most of them."""


def detc(*commands: list[str | Path]) -> None:
    words = json.dumps([[str(word) for word in command] for command in commands])
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", RUN, words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def finals(recorded: Path) -> dict[str, dict[str, float]]:
    """By stage the figures of the last split, without the losses."""
    stages = json.loads((recorded / "result.json").read_text())["stages"]
    return {stage["name"]: average_precision(stage["final"]) for stage in stages if stage.get("final")}


def average_precision(figures: dict[str, Any]) -> dict[str, float]:
    return {key: value for key, value in figures.items() if key == "map" or key.partition("/")[0] == "map50"}


def scored(
    spec: list[str | Path], recorded: Path, build: Path, data: Path, *stages: str
) -> dict[str, dict[str, float]]:
    """Builds `spec`; what the artifacts of the recorded run score now, and the checkpoints of `stages`."""
    runs = build / "runs" / "recorded"
    shutil.copytree(recorded, runs)
    models = {"artifacts": build / "artifacts"} | {name: runs / name / "best.safetensors" for name in stages}
    evaluations: list[list[str | Path]] = [
        ["eval", model, "--build", build, "--data-root", data, "-o", build / f"{name}.json"]
        for name, model in models.items()
    ]
    detc(["build", *spec, "--build", build], ["export", build, "--name", "recorded"], *evaluations)
    return {name: average_precision(json.loads((build / f"{name}.json").read_text())["figures"]) for name in models}


def about(figures: dict[str, float]) -> Any:
    """Float sums depend on the order in which a machine adds: a figure may move by one match of some hundred."""
    return pytest.approx(figures, abs=2e-3)


@pytest.mark.long
@pytest.mark.parametrize(("example", "last"), CELLS)
def test_blood_cells_score_what_the_record_says(example: str, last: str, shared: Path, tmp_path: Path) -> None:
    recorded, spec = EXAMPLES / example / "recorded", EXAMPLES / example / "bccd.det"
    found = scored([spec], recorded, tmp_path / "build", shared / "data", last, "float")
    final = finals(recorded)
    assert found["artifacts"] == found[last] == final[last], "integers all the way: no tolerance"
    assert found["float"] == about(final["float"])


@pytest.fixture(scope="module")
def shapes() -> ModuleType:
    """The script of the example on drawn shapes."""
    spec = importlib.util.spec_from_file_location("int8_shapes_run", EXAMPLES / "int8-shapes" / "run.py")
    assert spec is not None and spec.loader is not None
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    return run


@pytest.mark.long
@pytest.mark.parametrize("name", SHAPES)
def test_drawn_shapes_score_what_the_record_says(name: str, shapes: ModuleType, tmp_path: Path) -> None:
    shapes.draw(tmp_path, {**shapes.PICTURES, "train": 9, "val": 9})  # a picture is the same in any company
    recorded = EXAMPLES / "int8-shapes" / "recorded" / name
    found = scored(shapes.spec(name), recorded, tmp_path / "build", tmp_path, "detect")
    final = finals(recorded)
    assert found["artifacts"] == final["int8"], "integers all the way: no tolerance"
    assert found["detect"] == about(final["detect"])


@pytest.mark.parametrize(("recorded", "floating"), INT8)
def test_int8_loses_at_most_a_point_of_a_net_that_has_learned(recorded: str, floating: str) -> None:
    final = finals(EXAMPLES / recorded)
    assert final[floating]["map50"] > 0.5
    assert final[floating]["map50"] - final["int8"]["map50"] <= 0.01


@pytest.mark.long
def test_the_tables_of_the_readmes_are_what_they_would_be_now() -> None:
    done = subprocess.run([sys.executable, EXAMPLES / "figures.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

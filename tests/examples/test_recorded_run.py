"""The recorded blood cell runs: their checkpoints score again what their result.json says, down to the last bit of the figure."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
RUNS = [("bccd-gti5801", "chip"), ("bccd-stm32", "int8")]
"""Examples, and the stage of each whose numbers are the device's."""
KEYS = ("map50", "map", "map50/RBC", "map50/WBC", "map50/Platelets")


def detc(*words: str | Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "detc", *map(str, words)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def scored(model: Path, build: Path, data: Path, out: Path) -> dict[str, float]:
    detc("eval", model, "--build", build, "--data-root", data, "-o", out)
    figures: dict[str, float] = json.loads(out.read_text())["figures"]
    return {key: figures[key] for key in KEYS}


@pytest.mark.long
@pytest.mark.parametrize(("example", "last"), RUNS)
def test_the_recorded_checkpoints_score_what_the_record_says(
    example: str, last: str, shared: Path, tmp_path: Path
) -> None:
    build, data, recorded = tmp_path / "build", shared / "data", EXAMPLES / example / "recorded"
    detc("build", EXAMPLES / example / "bccd.det", "--build", build)
    shutil.copytree(recorded, build / "runs" / "recorded")
    detc("export", build, "--name", "recorded")

    result = json.loads((recorded / "result.json").read_text())
    final = {
        stage["name"]: {key: stage["final"][key] for key in KEYS} for stage in result["stages"] if stage.get("final")
    }
    runs = build / "runs" / "recorded"
    artifact = scored(build / "artifacts", build, data, tmp_path / "artifact.json")
    device = scored(runs / last / "best.safetensors", build, data, tmp_path / "device.json")
    assert artifact == device == final[last], "integers all the way: no tolerance"
    # float sums depend on the order in which a machine adds, a figure may move by one match of 945
    floating = scored(runs / "float" / "best.safetensors", build, data, tmp_path / "float.json")
    assert floating == pytest.approx(final["float"], abs=2e-3)


@pytest.mark.long
def test_the_tables_of_the_readmes_are_what_they_would_be_now() -> None:
    done = subprocess.run([sys.executable, EXAMPLES / "figures.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

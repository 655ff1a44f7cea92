"""Calibrations of ranges in the engine, and the stages that use them, on a stub of a device."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from tiny_detector import Tiny, run, stage, write_lock

from detrt.train.checkpoint import read_checkpoint, read_weights
from detrt.train.evaluating import main as evaluate_main

FROM_FLOAT = {"stage": "steps.float", "which": "best"}
FLOAT = stage("float", epochs=1)


def ptq(**ranges: Any) -> dict[str, Any]:
    calibrate = {"ranges": {"name": "minmax", **ranges}}
    return stage("ptq", kind="calibrate", start=FROM_FLOAT, images=8, epochs=1, calibrate=calibrate)


def qat(start: str = "float") -> dict[str, Any]:
    quantize = {"int8": {"stage": "steps.ptq"}}
    return stage("qat", start={"stage": f"steps.{start}", "which": "best"}, quantize=quantize, epochs=1)


def result(folder: Path) -> dict[str, Any]:
    stages = json.loads((folder / "runs/a/result.json").read_text())["stages"]
    return {entry["name"]: entry for entry in stages}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranges")
    stages = [FLOAT, ptq(name="percentile", choose=[99.0, 100.0], equalize=True, correct_bias=True), qat("ptq")]
    assert run(write_lock(folder, stages), "--name", "a") == 0
    return folder


def test_a_calibration_of_ranges_is_scored_and_kept(finished: Path) -> None:
    entry = result(finished)["ptq"]
    assert (entry["ended"], entry["final_split"]) == ("calibrated", "test")
    assert {"map50", "map", "loss", "percentile", "map50/percentile 99", "map50/percentile 100"} <= set(
        entry["metrics"]
    )
    assert entry["metrics"]["map50"] == max(entry["metrics"][f"map50/percentile {q}"] for q in (99, 100))
    assert set(entry["caps"]) == {f"relu{n}.{end}" for n in (1, 2, 3) for end in ("low", "high")}
    kept = read_checkpoint(finished / "runs/a/ptq/best.safetensors")
    assert kept.state["caps"] == entry["caps"]
    assert set(kept.tensors) == set(Tiny().state_dict())


def test_its_weights_are_the_prepared_ones_and_the_next_stage_begins_with_them(finished: Path) -> None:
    floats, kept = (read_weights(finished / f"runs/a/{name}/best.safetensors") for name in ("float", "ptq"))
    assert torch.equal(kept["conv1.weight"], 2 * floats["conv1.weight"])
    assert torch.equal(kept["conv2.weight"], floats["conv2.weight"] / 2)
    trained = read_checkpoint(finished / "runs/a/qat/best.safetensors")
    assert trained.state["caps"] == result(finished)["ptq"]["caps"]
    assert (trained.tensors["conv1.weight"] - kept["conv1.weight"]).abs().max() < 0.1


def test_evaluation_gives_the_figures_of_the_calibration(finished: Path, tmp_path: Path) -> None:
    for name in ("ptq", "qat"):
        out = tmp_path / "figures.json"
        argv = ["--name", "a", "--stage", name, "--json", str(out), "--workers", "0"]
        assert evaluate_main(Tiny, finished / "spec.lock.json", argv) == 0
        final = result(finished)[name]["final"]
        assert json.loads(out.read_text())["figures"] == {key: v for key, v in final.items() if key.startswith("map")}


def test_a_second_run_finds_the_same_ranges(finished: Path, tmp_path: Path) -> None:
    stages = [FLOAT, ptq(name="percentile", choose=[99.0, 100.0], equalize=True, correct_bias=True)]
    assert run(write_lock(tmp_path, stages), "--name", "a") == 0
    assert result(tmp_path)["ptq"]["caps"] == result(finished)["ptq"]["caps"]
    assert result(tmp_path)["ptq"]["weights_sha256"] == result(finished)["ptq"]["weights_sha256"]


def test_a_share_of_the_data_is_calibrated_on(finished: Path, tmp_path: Path) -> None:
    path = write_lock(tmp_path, [FLOAT, {**ptq(), "images": None}], pictures=12)
    raw = json.loads(path.read_text())
    raw["data"]["shapes"]["options"]["quantization_split"] = 0.25
    path.write_text(json.dumps(raw))
    assert run(path, "--name", "a") == 0
    few = result(tmp_path)["ptq"]["caps"]
    raw["stages"][1]["images"] = 1
    path.write_text(json.dumps(raw))
    assert run(path, "--name", "a", "--stage", "ptq") == 0
    assert result(tmp_path)["ptq"]["caps"]["relu1.high"] <= few["relu1.high"]
    assert result(tmp_path)["ptq"]["caps"] != few


def test_given_weights_are_calibrated_without_training(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_lock(tmp_path, [FLOAT, ptq()])
    weights = finished / "runs/a/float/best.safetensors"
    assert run(path, "--name", "a", "--stage", "ptq") == 1
    assert "which has not run" in capsys.readouterr().err
    assert run(path, "--name", "a", "--stage", "ptq", "--init-from", str(weights)) == 0
    assert list(result(tmp_path)) == ["ptq"]
    kept, given = read_weights(tmp_path / "runs/a/ptq/best.safetensors"), read_weights(weights)
    assert all(torch.equal(kept[key], given[key]) for key in given)


def test_weights_that_give_no_numbers_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_lock(tmp_path, [FLOAT, ptq()])
    broken = Tiny().state_dict() | {"conv2.bias": torch.full((8,), math.nan)}
    safetensors.torch.save_file(broken, tmp_path / "broken.safetensors")
    argv = ["--name", "a", "--stage", "ptq", "--init-from", str(tmp_path / "broken.safetensors")]
    assert run(path, *argv) == 1
    assert "`relu2` holds NaN" in capsys.readouterr().err

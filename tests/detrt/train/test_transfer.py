"""Weights from another model's stage and from files: what is taken, what is told, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from tiny_classifier import run, stage, write_folders, write_lock
from tiny_detector import Tiny
from tiny_detector import stage as detect_stage
from torch import Tensor

from detrt.train.checkpoint import read_weights

START = {"stage": "pretrain.classify", "which": "best"}


def chain(folder: Path, *stages: dict[str, Any]) -> Path:
    write_folders(folder / "data")
    return write_lock(folder, folder / "data", *stages)


def result(folder: Path, name: str = "run") -> dict[str, Any]:
    """The last stage's entry of result.json."""
    entry: dict[str, Any] = json.loads((folder / f"runs/{name}/result.json").read_text())["stages"][-1]
    return entry


def test_a_detector_starts_from_parts_of_a_classifier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = {"prefixes": ["conv1", "conv2"], "epochs": None}
    detect = detect_stage("detect", epochs=1, start=START, load=["conv1", "conv2"], freeze=held, ema=None)
    assert run(chain(tmp_path, stage(epochs=1), detect), "--name", "run") == 0
    origin = read_weights(tmp_path / "runs/run/classify/best.safetensors")
    trained = read_weights(tmp_path / "runs/run/detect/best.safetensors")
    for name in ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"):
        assert torch.equal(origin[name], trained[name])
    told = result(tmp_path)["transfer"]
    assert told["source"] == "pretrain.classify.best" and told["parts"] == ["conv1", "conv2"]
    assert told["taken"]["conv1.weight"] == {"from": "conv1.weight", "rule": "name", "shape": [8, 3, 3, 3]}
    assert (len(told["taken"]), told["left"], told["unused"]) == (4, {}, ["last.bias", "last.weight"])
    printed = capsys.readouterr().out
    assert "detect: 4 of 4 tensors below conv1, conv2 (808 values) from pretrain.classify.best, by name" in printed
    assert "detect: 2 of the source are not used: last.bias, last.weight" in printed
    assert "conv1, conv2 stands still in all epochs: 4 of 6 tensors, 808 of 1.68 k values" in printed
    frozen = result(tmp_path)["frozen"]
    assert (frozen["tensors"], frozen["of_tensors"], frozen["values"]) == (4, 6, 808)


def test_without_load_what_fits_by_name_is_taken_and_the_rest_initialised(tmp_path: Path) -> None:
    detect = detect_stage("detect", epochs=1, start=START, init={"convs": "data", "head_bias": 0.3})
    assert run(chain(tmp_path, stage(epochs=1), detect), "--name", "run") == 0
    told = result(tmp_path)["transfer"]
    assert sorted(told["taken"]) == ["conv1.bias", "conv1.weight", "conv2.bias", "conv2.weight"]
    assert told["left"]["head.weight"] == {"why": "not in the source", "shape": [12, 8, 3, 3]}


def test_what_is_told_survives_an_interrupted_run(tmp_path: Path) -> None:
    detect = detect_stage("detect", epochs=1, start=START, load=["conv1"])
    path = chain(tmp_path, stage(epochs=1), detect)
    assert run(path, "--name", "run") == 0
    (tmp_path / "runs/run/detect/stage.json").unlink()
    assert run(path, "--name", "run", "--resume") == 0
    assert sorted(result(tmp_path)["transfer"]["taken"]) == [
        "conv1.bias",
        "conv1.weight",
    ]


# ---- files ----------------------------------------------------------------------------------------------------------


def tensors() -> dict[str, Tensor]:
    torch.manual_seed(5)
    return Tiny().state_dict()


def begin(folder: Path, name: str, **changes: Any) -> int:
    """One epoch, at a rate of 0, of a detector that begins with the file `name`."""
    given = {"path": name, "dataset": "shapes", "input_shape": [3, 28, 28]}
    still = {"name": "sgd", "lr": 0.0, "momentum": 0.0}
    detect = detect_stage("detect", epochs=1, pretrained=given, optimizer=still, schedule={}, ema=None, **changes)
    return run(write_lock(folder, folder, detect), "--name", "run", "--data-root", str(folder))


def begun(folder: Path) -> dict[str, Tensor]:
    return read_weights(folder / "runs/run/detect/last.safetensors")


def as_pt(path: Path, found: dict[str, Tensor]) -> None:
    torch.save(found, path)


def as_training(path: Path, found: dict[str, Tensor]) -> None:
    state = {f"module.{name}": value.half() for name, value in found.items()}
    torch.save({"epoch": 3, "state_dict": state, "optimizer": {"state": {}}}, path)


def as_safetensors(path: Path, found: dict[str, Tensor]) -> None:
    safetensors.torch.save_file(found, path)


def as_other_names(path: Path, found: dict[str, Tensor]) -> None:
    """As another program names its layers, with one more at the end."""
    layers = {"conv1": "features.0", "conv2": "features.3", "head": "top"}
    renamed = {f"{layers[name.split('.')[0]]}.{name.split('.')[1]}": value for name, value in found.items()}
    torch.save({**renamed, "classifier.weight": torch.zeros(4, 4)}, path)


@pytest.mark.parametrize(
    ("file", "write", "rule"),
    [
        ("a.pt", as_pt, "name"),
        ("b.pth", as_training, "name, without `module`"),
        ("c.safetensors", as_safetensors, "name"),
        ("d.pt", as_other_names, "order"),
    ],
)
def test_a_stage_begins_with_the_weights_of_a_file(tmp_path: Path, file: str, write: Any, rule: str) -> None:
    write(tmp_path / file, tensors())
    assert begin(tmp_path, file) == 0
    found = begun(tmp_path)
    for name, value in tensors().items():
        wanted = value.half().float() if write is as_training else value
        assert torch.equal(found[name], wanted), name
    told = result(tmp_path)["transfer"]
    assert {entry["rule"] for entry in told["taken"].values()} == {rule}
    assert (told["source"], told["dataset"], told["input_shape"]) == (file, "shapes", [3, 28, 28])
    assert len(told["sha256"]) == 64


def test_load_keeps_to_a_part(tmp_path: Path) -> None:
    as_pt(tmp_path / "a.pt", tensors())
    assert begin(tmp_path, "a.pt", load=["conv2"]) == 0
    found = begun(tmp_path)
    assert torch.equal(found["conv2.weight"], tensors()["conv2.weight"])
    assert not torch.equal(found["conv1.weight"], tensors()["conv1.weight"])


def test_a_checkpoint_of_ours_is_a_file_too(tmp_path: Path) -> None:
    assert run(chain(tmp_path, stage(epochs=1)), "--name", "first") == 0
    best = tmp_path / "runs/first/classify/best.safetensors"
    assert begin(tmp_path, str(best)) == 0
    assert torch.equal(begun(tmp_path)["conv1.weight"], read_weights(best)["conv1.weight"])


def wide(found: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: torch.cat([value, value]) for name, value in found.items()}


def with_nan(found: dict[str, Tensor]) -> dict[str, Tensor]:
    found["conv2.bias"][3] = float("nan")
    return found


@pytest.mark.parametrize(
    ("found", "load", "problem"),
    [
        (wide, [], "6 of 6 weights do not fit"),
        (wide, ["conv1"], "2 of 2 weights below conv1 do not fit"),
        (with_nan, [], "`conv2.bias` holds values that are no numbers"),
        (lambda found: {"other": torch.zeros(3)}, [], "no weights for what stands in the model"),
        (lambda found: {"a.weight": found["conv1.weight"], "b.weight": found["conv1.weight"]}, ["conv1"], "no weights"),
        (lambda found: {name: value.long() for name, value in found.items()}, [], "torch.int64 there"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], found: Any, load: list[str], problem: str
) -> None:
    torch.save(found(tensors()), tmp_path / "a.pt")
    assert begin(tmp_path, "a.pt", load=load) == 1
    assert problem in capsys.readouterr().err


def test_weights_that_are_not_there_name_where_they_were_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert begin(tmp_path, "none.pt") == 1
    error = capsys.readouterr().err
    assert str(tmp_path / "none.pt") in error and "ships no weights" in error

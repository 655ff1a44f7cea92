"""Pruning from the spec to the checkpoint: the command, and the stage of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from detc.cli import main
from detc.commands.building import project_of
from detc.compilation import compile_spec
from detrt.train.checkpoint import read_weights, write_checkpoint
from detrt.train.engine import train
from detrt.train.options import parse_options

SPEC = """
param classes: int = 2
data shapes = data.synthetic(classes = ["disc", "square"], train = 8 images, val = 4 images, size = [32, 32])
model big extends detector {
  input frame: u8[3, 28, 28] = camera(order = bgr)
  let a = frame |> conv(12) |> bn |> relu |> maxpool(2x2)
  let b = a + (a |> conv(12) |> bn |> relu)
  output grid = b |> maxpool(2x2) |> conv(16) |> relu |> conv(10 + classes) |> relu
  head gnetdet on grid { boxes = 2  classes = classes }
}
model small = prune(big, channels = 1 / 2)
train pre on big { stage dense { epochs = 1  batch = 8 } }
train cutting on small {
  batch = 8
  stage cut { start = pre.dense.best  prune channels = l1 }
  stage tune { start = cut.best  epochs = 1 }
}
"""


NORM = ("weight", "bias", "running_mean", "running_var")
LAYERS = [f"{let}.bn1.{name}" for let in "ab" for name in NORM]
LAYERS += [f"{conv}.{name}" for conv in ("a.conv1", "b.conv1", "grid.conv1", "grid.conv2") for name in NORM[:2]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the spec and one run of all its stages."""
    folder = tmp_path_factory.mktemp("pruning")
    spec = folder / "net.det"
    spec.write_text(SPEC, encoding="utf-8")
    files = project_of(compile_spec(spec), folder / "build").files
    classes: dict[str, Any] = {}
    for name, module in (("small", "model.py"), ("big", "model_big.py")):
        scope: dict[str, Any] = {}
        exec(compile(files[module], module, "exec"), scope)
        classes[name] = scope["Net" if name == "small" else "Big"]
    lock = folder / "spec.lock.json"
    lock.write_text(files["spec.lock.json"], encoding="utf-8")
    torch.set_num_threads(1)
    options = ["--workers", "0", "--device", "cpu", "--track", "csv", "--quiet", "--name", "a"]
    assert train(classes, lock, parse_options(options)) == 0
    return folder


def test_the_stage_cuts_the_checkpoint_and_writes_the_narrow_spec(trained: Path) -> None:
    run = trained / "runs" / "a"
    stages = json.loads((run / "result.json").read_text())["stages"]
    cut = next(stage for stage in stages if stage["name"] == "cut")
    assert (cut["kind"], cut["ended"], cut["checkpoint"]) == ("prune", "pruned", "cut/best.safetensors")
    assert {"map50", "loss"} <= set(cut["metrics"])
    assert [(g["layers"], g["before"], g["after"]) for g in cut["pruned"]] == [
        (["a.conv1", "b.conv1"], 12, 6), (["grid.conv1"], 16, 8),
    ]  # fmt: skip
    wide, narrow = (read_weights(run / stage / "best.safetensors") for stage in ("dense", "cut"))
    first, second = (g["left"] for g in cut["pruned"])
    assert first == sorted(first) and len(first) == 6
    assert torch.equal(narrow["a.conv1.weight"], wide["a.conv1.weight"][first])
    assert torch.equal(narrow["b.conv1.weight"], wide["b.conv1.weight"][first][:, first])
    assert torch.equal(narrow["b.bn1.running_var"], wide["b.bn1.running_var"][first])
    assert torch.equal(narrow["grid.conv2.weight"], wide["grid.conv2.weight"][:, second])
    assert compile_spec(run / "cut" / "small.det").metrics["params"] == 1838


def test_the_command_does_the_same(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = trained / "runs" / "a", tmp_path / "small.det"
    weights = ["--weights", str(run / "dense/best.safetensors"), "--criterion", "l1"]
    assert (
        main(["prune", str(trained / "net.det"), "--model", "big", "--channels", "50%", "-o", str(out), *weights]) == 0
    )
    assert "5,176 ->           1,838   2.82x fewer" in capsys.readouterr().out
    found, expected = read_weights(out.with_suffix(".safetensors")), read_weights(run / "cut" / "best.safetensors")
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    assert out.read_text().splitlines()[2:] == (run / "cut" / "small.det").read_text().splitlines()[2:]
    assert main(["prune", str(trained / "net.det"), "-o", str(out)]) == 1  # it is there


@pytest.mark.parametrize(
    ("options", "message", "remedy"),
    [
        (["--model", "bog", "--channels", "1/2"], "no model `bog`", "did you mean `big`?"),
        (["--model", "big"], "`big` is no pruned model", "--channels 1/2"),
        (["--channels", "0"], "out of range", "above 0"),
        (["--channels", "1/0"], "out of range", "above 0"),
        (["--channels", "1/2", "--multiple", "0"], "`--multiple 0` is out of range", ""),
        (
            ["--model", "big", "--channels", "1/2", "--keep", "trunk"],
            "no part `trunk` to keep",
            "parts: a, b, frame, grid",
        ),
        (["--weights", "missing.safetensors"], "cannot be read", ""),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str, remedy: str
) -> None:
    spec = tmp_path / "net.det"
    spec.write_text(SPEC, encoding="utf-8")
    assert main(["prune", str(spec), "-o", str(tmp_path / "out.det"), *options]) == 1
    told = capsys.readouterr().err
    assert message in told and remedy in told
    assert not (tmp_path / "out.det").exists()


def test_weights_of_another_net_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, weights = tmp_path / "net.det", tmp_path / "other.safetensors"
    spec.write_text(SPEC, encoding="utf-8")
    complete = {name: torch.zeros(3) for name in LAYERS}
    for tensors, why in (
        ({"a.conv1.weight": torch.zeros(3, 3, 3, 3)}, "the checkpoint has no `a.bn1.bias` and 14 others"),
        (complete, "`a.conv1.weight` has the shape [3]; the plan of `big` says 12 on axis 0"),
    ):
        write_checkpoint(weights, tensors, {})
        assert main(["prune", str(spec), "-o", str(tmp_path / "out.det"), "--weights", str(weights)]) == 1
        assert why in capsys.readouterr().err


def test_explain_shows_every_width_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "net.det"
    spec.write_text(SPEC, encoding="utf-8")
    out = str(tmp_path / "out.det")
    assert main(["prune", str(spec), "--model", "big", "--channels", "1/2", "--keep", "a", "--explain", "-o", out]) == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines() if "conv" in line]
    assert shown == [
        ["12", "12", "a.conv1,", "b.conv1", "kept", "by", "the", "spec"],
        ["16", "8", "grid.conv1"],
        ["12", "12", "grid.conv2", "output", "`grid`"],
    ]

"""`detc train` takes the lava environment for stages that run in time, says so, and does without where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from detc.cli import main
from detc.commands import lava_python as choosing
from detc.commands.lava_python import python_for

SPEC = """
use std.sdnn as sdnn

data shapes = data.synthetic(train = 12 images, val = 4 images, size = 64x64, steps = 4)

model kp extends detector {
  input clip: u8[3, 64, 64] = frames(steps = 4, order = rgb, mean = imagenet.mean, std = imagenet.std)
  output p = clip |> sdnn.single_head(2, 3)
  head yolo_sdnn on p { anchors = [(0.28, 0.22), (0.38, 0.48), (0.90, 0.78)]  classes = 3 }
}

train steps on kp {
  data = shapes  batch = 4  optimizer = adam(lr = 1e-3)  choose = map50  seed = 1
  stage tune { epochs = 1  quantize events = sigma_delta }
}
"""


def build(folder: Path, events: str | None = "sigma_delta") -> Path:
    folder.mkdir()
    (folder / "slayer_net.py").touch()
    (folder / "spec.lock.json").write_text(json.dumps({"stages": [{"quantize": {"events": events}}]}))
    return folder


def program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No environment but those of the test."""
    monkeypatch.delenv("DETC_LAVA_PYTHON", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("detc.targets.loihi2.environment.checkout", lambda: None)
    monkeypatch.setattr(choosing, "_has_lava", lambda: False)


@pytest.mark.parametrize("place", [".", "build", "build/kp-loihi2"])
def test_an_environment_near_the_build_is_taken(place, tmp_path, capsys):
    (tmp_path / "build").mkdir()
    folder = build(tmp_path / "build/kp-loihi2")
    lava = program(tmp_path / place / ".venv-loihi/bin/python", "echo 2.13.0+cpu")
    found, paths = python_for(folder, ["--device", "cpu"], ["/own"])
    assert Path(found).samefile(lava) and "/own" not in paths
    assert capsys.readouterr().err == f"stages in time train with lava-dl: train.py runs with {found}\n"


def test_the_named_environment_comes_first(tmp_path, monkeypatch):
    program(tmp_path / ".venv-loihi/bin/python", "echo 2.13.0+cpu")
    named = program(tmp_path / "mine", "echo 2.13.0")
    monkeypatch.setenv("DETC_LAVA_PYTHON", str(named))
    assert python_for(build(tmp_path / "kp"), [], [])[0] == str(named)


@pytest.mark.parametrize(
    ("arguments", "events"), [(["--engine", "detrt"], "sigma_delta"), ([], None), (["--name", "x"], None)]
)
def test_what_does_not_need_it_runs_here(arguments, events, tmp_path, capsys):
    program(tmp_path / ".venv-loihi/bin/python", "echo 2.13.0+cpu")
    assert python_for(build(tmp_path / "kp", events), arguments, ["/own"]) == (sys.executable, ["/own"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("lock", ["", "[]", '{"stages": [1]}', '{"stages": null}'])
def test_a_damaged_lock_is_left_to_train_py(lock, tmp_path):
    folder = build(tmp_path / "kp")
    (folder / "spec.lock.json").write_text(lock)
    assert python_for(folder, [], ["/own"]) == (sys.executable, ["/own"])


def test_an_environment_that_does_not_fit_is_told_and_left(tmp_path, capsys):
    lava = program(tmp_path / ".venv-loihi/bin/python", "exit 1")
    assert python_for(build(tmp_path / "kp"), [], ["/own"]) == (sys.executable, ["/own"])
    assert capsys.readouterr().err == f"{lava} has no lava-dl that goes with this detc: `detc env loihi2` makes one\n"


def test_a_name_without_a_file_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DETC_LAVA_PYTHON", "/nowhere/python")
    assert python_for(build(tmp_path / "kp"), [], []) == (sys.executable, [])
    assert "DETC_LAVA_PYTHON = /nowhere/python: there is no such file" in capsys.readouterr().err


def test_a_gpu_is_not_left_for_a_torch_of_the_cpu(tmp_path, capsys):
    lava = program(tmp_path / ".venv-loihi/bin/python", "echo 2.13.0+cpu")
    folder = build(tmp_path / "kp")
    assert python_for(folder, ["--device", "cuda:0"], [])[0] == sys.executable
    assert "this Python trains on the GPU" in capsys.readouterr().err
    assert python_for(folder, ["--device", "cuda:0", "--engine", "lava"], [])[0] == str(lava)
    program(lava, "echo 2.13.0")
    assert python_for(folder, ["--device", "cuda:0"], [])[0] == str(lava)


@pytest.mark.long
def test_both_engines_leave_the_same_weights(lava_python, tmp_path, capfd):
    """In the same environment: another one may draw the pictures a little otherwise."""
    load_file = pytest.importorskip("safetensors.torch").load_file
    (tmp_path / "kp.det").write_text(SPEC)
    assert main(["build", "kp.det", "--target", "kapoho_point", "--build", "kp"]) == 0, capfd.readouterr().err
    weights, engines = [], []
    for engine in ("detrt", "auto"):
        words = ["--engine", engine, "--name", engine, "--workers", "0", "--device", "cpu"]
        paths = {"PYTHONPATH": str(Path(__file__).parents[3] / "runtime"), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [lava_python, "kp/train.py", *words], env=paths, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        weights.append(load_file(f"kp/runs/{engine}/tune/best.safetensors"))
        result = json.loads(Path(f"kp/runs/{engine}/result.json").read_text())
        engines.append(result["stages"][0]["engine"])
        assert (
            f"tune: runs in time {'through the blocks of lava-dl 0.6.0' if engine == 'auto' else 'in detrt'}"
            in done.stdout
        )
    assert engines == ["detrt", "lava-dl 0.6.0"]
    for name, tensor in weights[0].items():
        assert (tensor - weights[1][name]).abs().max() <= 1e-6 * max(1.0, float(tensor.abs().max())), name


@pytest.mark.long
def test_train_goes_over_to_the_lava_environment(lava_python, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("DETC_LAVA_PYTHON", str(lava_python))
    (tmp_path / "kp.det").write_text(SPEC)
    train = ["train", "kp.det", "--target", "kapoho_point", "--build", "kp", "--name", "one", "--device", "cpu"]
    assert main([*train, "--workers", "0"]) == 0, capfd.readouterr().err
    said = capfd.readouterr()
    assert f"stages in time train with lava-dl: train.py runs with {lava_python}" in said.err
    assert "tune: runs in time through the blocks of lava-dl 0.6.0" in said.out

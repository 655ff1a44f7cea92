"""From a spec to detections by the command line alone: train, export, run, eval, on drawn pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detc.cli import main

pytest.importorskip("torch")
pytest.importorskip("cv2")

SPEC = """\
data shapes = data.synthetic(train = 16 images, val = 8 images, test = 6 images, size = [64, 64], objects = 1 .. 2)

model tiny extends detector {
  input frame: u8[3, 56, 56] = camera(order = bgr)
  let body = frame
    |> conv(8, weights = masked(3 bits)) |> relu(cap = 31) |> maxpool(2x2)
    |> conv(16, weights = masked(3 bits)) |> relu(cap = 31) |> maxpool(2x2)
  output grid = body |> conv(13, weights = masked(8 bits)) |> relu(cap = 31)
  head gnetdet on grid { boxes = 2  classes = 3 }
}

train steps on tiny {
  data = shapes
  batch = 8
  optimizer = adamw(lr = 1e-3)
  stage float   { epochs = 1 }
  stage weights { start = float.best    quantize weights = masks              epochs = 1 }
  stage measure { start = weights.best  calibrate caps = percentile(99)       images = 8 }
  stage acts    { start = weights.best  quantize activations = measure.caps   epochs = 1 }
  stage chip    { start = acts.best     quantize folded = u5                  epochs = 1 }
}
"""


@pytest.mark.long
def test_the_whole_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    import cv2
    import numpy as np

    monkeypatch.chdir(tmp_path)
    Path("tiny.det").write_text(SPEC)
    assert main(["train", "tiny.det", "--target", "gti5801", "--workers", "0", "--name", "one", "-q"]) == 0
    build = Path("build/tiny-gti5801")
    assert (build / "runs/one/chip/best.safetensors").is_file()

    assert main(["export", "tiny.det", "--target", "gti5801", "--vendor-inputs"]) == 0
    names = {path.name for path in (build / "artifacts").iterdir()}
    assert {"chip.dat", "out.model", "dat.json", "model.json", "relu_cap.txt", "labels.txt", "GNetDet.yaml",
            "MANIFEST.json", "filter.txt", "bias.txt"} <= names  # fmt: skip

    Path("pictures").mkdir()
    cv2.imwrite("pictures/a.png", np.full((40, 60, 3), 128, np.uint8))
    for model in (build / "artifacts", build / "runs/one/float/best.safetensors"):
        assert main(["run", str(model), "pictures", "-o", "out"]) == 0
        assert json.loads(Path("out/detections.json").read_text())["pictures"][0]["file"] == "a.png"
        assert Path("out/a.png").is_file()

    assert main(["eval", str(build / "artifacts"), "-o", "figures.json"]) == 0
    figures = json.loads(Path("figures.json").read_text())
    assert [stage["name"] for stage in figures["stages"]] == ["float", "weights", "acts", "chip"]
    chip = figures["stages"][-1]
    assert figures["result"]["map50"] == pytest.approx(chip["map50"], abs=1e-12)

    (build / "artifacts/chip.dat").write_bytes(b"\0" * 100)
    capfd.readouterr()
    assert main(["run", str(build / "artifacts"), "pictures", "-o", "out"]) == 1
    assert "Traceback" not in capfd.readouterr().err


def test_running_what_is_not_there_is_a_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(tmp_path / "none"), str(tmp_path)]) == 1
    assert "no such artifacts folder or checkpoint" in capsys.readouterr().err
    assert main(["eval", str(tmp_path / "none")]) == 1
    assert "no build folder" in capsys.readouterr().err
    assert main(["run", "artifacts", "pictures", "--score", "1.5"]) == 1
    assert "0 .. 1" in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["", "runs/one", "runs/one/float"])
def test_a_folder_of_runs_names_its_checkpoints(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "runs/one/float/best.safetensors"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    (tmp_path / "spec.lock.json").write_text("{}")
    for command in (["run", str(tmp_path / folder), str(tmp_path)], ["eval", str(tmp_path / folder)]):
        assert main(command) == 1
        assert str(checkpoint) in capsys.readouterr().err

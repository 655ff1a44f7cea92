"""A microcontroller's detector by the command line alone: train, calibrate, train in int8, export, score, on drawn pictures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from detc.cli import main
from detc.library import library_folder

torch = pytest.importorskip("torch")
pytest.importorskip("cv2")

BOARD = "stm32h747i_disco"
DATA = """data shapes = data.synthetic(
  train = 48 images, val = 16 images, size = [64, 64], objects = 1 .. 2, quantization_split = 50 %
)"""
STAGES = """
train steps on st_yolo_lc_v1 {
  data      = shapes
  batch     = 16
  optimizer = adamw(lr = 3e-3)
  stage float { epochs = 6  ema = 0.9 }
  stage ptq {
    start = float.best  calibrate ranges = percentile(choose = [99.9, 100])  equalize = true  correct_bias = true
    require drop(map50, since = float) <= 20 points
  }
  stage qat { start = ptq.best  quantize int8 = ptq.ranges  epochs = 1  lr = 1e-4 }
}
"""


def spec(stages: str = STAGES) -> str:
    """The library's st_yolo_lc_v1 at half its width and 64 pixels, on drawn pictures, with these stages."""
    text = (library_folder() / "st_yolo_lc_v1.det").read_text()
    text = re.sub(r"data coco = .*", DATA, text[: text.index("train steps on")]) + stages
    for name, value in (("classes", "3"), ("image", "64"), ("width", "0.5")):
        text = re.sub(rf"(param {name}:\s*\w+\s*=) [\d.]+", rf"\1 {value}", text)
    return text


def scored(model: Path, out: Path) -> dict[str, float]:
    assert main(["eval", str(model), "-o", str(out)]) == 0
    figures: dict[str, float] = json.loads(out.read_text())["figures"]
    return {key: figures[key] for key in ("map50", "map")}


@pytest.mark.long
def test_a_detector_scores_on_the_device_what_it_scored_in_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.det").write_text(spec())
    build = Path(f"build/small-{BOARD}")
    services = ["--train", "--quantize", "--deploy", "--evaluate", "--benchmark", "--name", "one"]
    assert main(["build", "small.det", "--target", BOARD, *services]) == 0
    told = capfd.readouterr().out
    assert "pairs of layers evened out" in told and "gate passed: drop(map50, since = float)" in told
    stages = {s["name"]: s["final"] for s in json.loads((build / "runs/one/result.json").read_text())["stages"]}
    assert stages["float"]["map50"] > 0

    for name in ("ptq", "qat"):
        assert main(["export", str(build), "--stage", name, "-o", f"{name}-artifacts"]) == 0
        device = scored(Path(f"{name}-artifacts").rename(build / f"{name}-artifacts"), Path("figures.json"))
        checkpoint = scored(build / f"runs/one/{name}/best.safetensors", Path("figures.json"))
        expected = {key: stages[name][key] for key in ("map50", "map")}
        assert device == checkpoint == expected, "whole numbers all the way: no tolerance"

    capfd.readouterr()
    assert main(["eval", str(build / "runs/one/qat/best.safetensors"), "--sensitivity", "-o", "layers.json"]) == 0
    table: dict[str, Any] = json.loads(Path("layers.json").read_text())
    assert table["int8"] == pytest.approx(stages["qat"]["map50"], abs=1e-12)
    costs = [row["cost"] for row in table["layers"]]
    assert costs == sorted(costs, reverse=True) and len(costs) > 8
    assert all("st_yolo_lc_v1" not in row["where"] and "small.det:" in row["where"] for row in table["layers"][:3])
    assert f"{table['layers'][0]['name']}" in capfd.readouterr().out

    assert main(["run", str(build / "artifacts"), str(build / "artifacts"), "-o", "out"]) == 1
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.long
def test_given_float_weights_become_int8_without_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from detrt.lock import read_lock
    from detrt.predictor import model_classes

    monkeypatch.chdir(tmp_path)
    Path("small.det").write_text(spec("train steps on st_yolo_lc_v1 { data = shapes  stage detect { epochs = 9 } }\n"))
    build = Path(f"build/small-{BOARD}")
    assert main(["build", "small.det", "--target", BOARD]) == 0
    model = model_classes(build, read_lock(build / "spec.lock.json"))["st_yolo_lc_v1"]()
    torch.save(model.state_dict(), "mine.pt")
    assert (
        main(["train", "small.det", "--target", BOARD, "--stage", "int8", "--init-from", "mine.pt", "--name", "a"]) == 0
    )
    assert main(["export", str(build)]) == 0
    assert (build / "artifacts/program.npz").is_file()

"""A sigma-delta detector by the command line alone: at rest, in time, exported, scored and run on videos of drawn shapes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from detc.cli import main

torch = pytest.importorskip("torch")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("h5py")

SPEC = """
use std.sdnn as sdnn
data shapes = data.synthetic(
  train = 96 images, val = 40 images, size = [48, 48], objects = 1 .. 2, steps = 6, frames = 8, seed = 3
)
data still = data.synthetic(train = 8 images, val = 4 images, size = [48, 48], objects = 1 .. 2)
default encode      { threshold = 0.125 }
default sigma_delta { threshold = 0.125 }
model small extends detector {
  input clip: u8[3, 48, 48] = frames(steps = 5, order = rgb, mean = imagenet.mean, std = imagenet.std)
  output p = clip |> neuron.encode |> sdnn.sd(4, s = 2) |> sdnn.sd(8, s = 2) |> sdnn.sd(12, s = 2, gain = 3) |> sdnn.predict(3)
  head yolo_sdnn on p { anchors = [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]  classes = 3  conf = 0.01  score = 0.01 }
}
train steps on small {
  data      = shapes
  batch     = 8
  optimizer = adam(lr = 4e-3)
  augment   = [mosaic(p = 0.2), flip()]
  clip      = 1
  stage dense { epochs = 8 }
  stage held { start = dense.best  quantize events = sigma_delta  data = still  batch = 4  lr = 1e-3  epochs = 1 }
  stage events {
    start = held.best  batch = 4  accumulate = 2  lr = 1e-3  epochs = 2
    regularize events = sparsity(weight = 1, rate = 0.01)
  }
}
deploy board on kapoho_point { model = small }
"""


def stages_of(build: Path) -> dict[str, dict[str, Any]]:
    return {s["name"]: s["final"] for s in json.loads((build / "runs/one/result.json").read_text())["stages"]}


@pytest.mark.long
def test_a_net_in_time_scores_on_the_chip_what_it_scored_in_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.det").write_text(SPEC)
    build = Path("build/small-kapoho_point")
    assert main(["train", "small.det", "--name", "one", "--engine", "detrt"]) == 0
    told = capfd.readouterr().out
    assert "stage `events` sees clips of videos and does without `mosaic`" in told
    stages = stages_of(build)
    assert stages["dense"]["map50"] > 0 and stages["events"]["map50"] > 0
    assert 0 < stages["events"]["event_rate"] < 0.5 and stages["held"]["events"] > 0

    assert main(["export", str(build), "--name", "one"]) == 0
    figures = {}
    for kind, model in (("artifacts", build / "artifacts"), ("torch", build / "runs/one/events/best.safetensors")):
        assert main(["eval", str(model), "-o", f"{kind}.json"]) == 0
        figures[kind] = json.loads(Path(f"{kind}.json").read_text())
    assert figures["artifacts"]["figures"] == figures["torch"]["figures"]
    assert figures["artifacts"]["events"] == figures["torch"]["events"]
    assert figures["artifacts"]["events"]["frames"] == 40 and figures["artifacts"]["figures"]["map50"] > 0

    pictures = Path("pictures")
    assert main(["data", "convert", "small.det", "--data", "shapes", "--to", "coco", "-o", str(pictures)]) == 0
    first = sorted(path for path in pictures.rglob("*.png") if "val" in str(path))[:8]
    (frames := Path("frames")).mkdir()
    for number, path in enumerate(first):
        path.rename(frames / f"{number}.png")
    found = {}
    for kind, model in (("artifacts", build / "artifacts"), ("torch", build / "runs/one/events/best.safetensors")):
        assert main(["run", str(model), str(frames), "-o", f"out-{kind}"]) == 0
        out = Path(f"out-{kind}")
        found[kind] = json.loads((out / "detections.json").read_text())["frames"]
        assert sorted(path.name for path in out.iterdir()) == [
            "detections.json", "events.csv", "events.json", "events.png", "frames.mp4",
        ]  # fmt: skip
    assert found["artifacts"] == found["torch"] and len(found["torch"]) == 8
    rows = list(csv.reader(Path("out-torch/events.csv").read_text().splitlines()))
    assert [int(row[1]) for row in rows[1:]] == [frame["events"] for frame in found["torch"]]
    assert int(rows[1][1]) > 2 * int(rows[5][1]), "the first frame is all new"
    assert main(["run", str(build / "artifacts"), str(frames), "--still", "-o", "out-still"]) == 0
    assert len(list(Path("out-still").glob("*.png"))) == 8

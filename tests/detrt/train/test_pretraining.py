"""The whole of it with the commands of a user: a classifier learns shapes, its trunk becomes a detector's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from detc.cli import main
from detrt.data.opening import open_dataset
from detrt.data.synthetic import write_voc
from detrt.files import write_png
from detrt.train.checkpoint import read_weights

SHAPES = ["disc", "square", "triangle"]
SPEC = """
data shapes = data.folders(root = path("shapes"), train = "train", val = "val")
data scenes = data.voc(root = path("voc"), train = "train", val = "val", classes = ["disc", "square", "triangle"])
block layer(x, c) = x |> conv(c, bias = false) |> bn |> relu
block body(x) = x |> layer(12) |> maxpool |> layer(24) |> maxpool |> layer(32) |> maxpool |> layer(32)
model kinds extends classifier {
  input frame: u8[3, 32, 32] = camera(order = rgb, mean = 0.5, std = 0.25)
  let trunk = frame |> body
  output logits = trunk |> avgpool(global = true) |> flatten |> linear(3)
  head softmax on logits { classes = 3 }
}
model finder extends detector {
  input frame: u8[3, 64, 64] = camera(order = rgb, mean = 0.5, std = 0.25)
  let trunk = frame |> body
  output grid = trunk |> conv(13, k = 1x1) |> relu
  head gnetdet on grid { classes = 3 }
}
train pretrain on kinds {
  data = shapes  batch = 16  optimizer = adamw(lr = 5e-3)  augment = [flip()]
  stage classify { epochs = 12  schedule = cosine()  loss label_smoothing = 0.05  require top1 >= 60 % }
}
train find on finder {
  data = scenes  batch = 8  optimizer = adamw(lr = 2e-3)
  init convs = data
  init head_bias = 0.3
  stage detect { start = pretrain.classify.best  load = trunk  freeze = trunk  epochs = 6 }
  stage fresh { pretrained = path("trunk.pt")  load = trunk  freeze = trunk  epochs = 1  lr = 0 }
}
"""


def write_shapes(root: Path) -> None:
    """A shape a picture in the folder of its class, and scenes of them as VOC."""
    for split, count in (("train", 160), ("val", 40)):
        where = {split: {"images": count, "seed": 5}, "options": {"size": [40, 40], "objects": [1, 1]}}
        for picture in (found := open_dataset({"format": "synthetic", "classes": SHAPES, **where}, split, root)):
            label = int(picture.annotation.labels[0])
            write_png(root / "shapes" / split / SHAPES[label] / f"{picture.id}.png", found.read_image(picture))
    write_voc(root / "voc", {"train": 24, "val": 12, "test": 4}, seed=3, options={"size": [64, 64], "objects": [1, 2]})


@pytest.mark.long
def test_a_pretrained_trunk_is_the_detectors_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_shapes(tmp_path)
    spec = tmp_path / "chain.det"
    spec.write_text(SPEC, encoding="utf-8")
    train = ["train", "chain.det", "--build", "b", "--name", "run"]
    assert main([*train, "--stage", "classify"]) == 0
    best = Path("b/runs/run/classify/best.safetensors")
    assert main(["weights", str(best), "--part", "trunk", "-o", "trunk.pt"]) == 0
    assert main([*train, "--stage", "detect,fresh"]) == 0
    trunk = {name: value for name, value in read_weights(best).items() if name.startswith("trunk.")}
    assert len(trunk) == 24
    for stage in ("detect", "fresh"):
        own = read_weights(Path(f"b/runs/run/{stage}/best.safetensors"))
        # frozen with its norms: not one bit has moved, whether it came from the stage or from the file
        assert all(torch.equal(own[name], value) for name, value in trunk.items())
    stages = {stage["name"]: stage for stage in json.loads(Path("b/runs/run/result.json").read_text())["stages"]}
    assert stages["classify"]["metrics"]["top1"] >= 0.6
    taken = {name: len(stages[name]["transfer"]["taken"]) for name in ("detect", "fresh")}
    assert taken == {"detect": 24, "fresh": 24} and stages["fresh"]["transfer"]["source"] == "trunk.pt"
    assert Path("b/runs/run/classify/best.png").is_file()
    capsys.readouterr()
    assert main(["eval", str(best), "-o", "figures.json", "--report", "report"]) == 0
    figures = json.loads(Path("figures.json").read_text())["figures"]
    assert figures["top1"] == pytest.approx(stages["classify"]["final"]["top1"])
    assert main(["run", str(best), "shapes/val/disc", "-o", "seen"]) == 0
    rows = json.loads(Path("seen/detections.json").read_text())["pictures"]
    assert all(len(row["classes"]) == 3 and row["classes"][0]["class"] in SHAPES for row in rows)

"""A classifier on class folders: its figures, its best checkpoint, its sheet, and folders that do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_classifier
from tiny_classifier import KINDS, run, stage, write_folders, write_lock

from detrt.data.opening import open_dataset
from detrt.data.sample import DataSet
from detrt.evaluate.classifying import classified
from detrt.evaluate.classifying_report import write_classes_report
from detrt.heads.detections import Detections
from detrt.train.evaluating import main as evaluate


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of four epochs."""
    folder = tmp_path_factory.mktemp("classes")
    write_folders(folder / "data")
    gate = {"text": "top1 >= 60 %", "condition": _at_least("top1", 0.6), "message": "", "verdict": "unjudged"}
    assert run(write_lock(folder, folder / "data", stage(epochs=4, gates=[gate])), "--name", "run") == 0
    return folder


def _at_least(name: str, value: float) -> dict[str, object]:
    return {"op": ">=", "left": {"name": name}, "right": {"value": value, "unit": "relative"}}


def test_a_classifier_learns_and_is_judged_by_top1(learned: Path) -> None:
    (entry,) = json.loads((learned / "runs/run/result.json").read_text())["stages"]
    assert entry["metrics"]["top1"] == 1.0 and entry["metrics"]["top5"] == 1.0 and entry["metrics"]["loss"] < 0.6
    assert [gate["verdict"] for gate in entry["gates"]] == ["passed"]
    columns = (learned / "runs/run/classify/metrics.csv").read_text().splitlines()[0].split(",")
    assert {"val/top1", "val/top5", "val/loss", "train/cls"} <= set(columns)


def test_the_best_validation_leaves_a_sheet_of_predictions(learned: Path) -> None:
    sheet = cv2.imread(str(learned / "runs/run/classify/best.png"))
    assert sheet.shape[1] == 6 * 166 + 6 and sheet.shape[0] == 166 + 6  # 6 pictures of 160 with gaps of 6
    green = (np.abs(sheet.astype(int) - (60, 150, 40)).sum(2) < 8).mean()
    assert green > 0.05  # all are right: their frames are green


def test_evaluate_gives_the_figures_of_training(learned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--device", "cpu", "--workers", "0", "--json", str(learned / "figures.json")]
    classes = {"tiny": tiny_classifier.tiny_detector.Tiny, "kinds": tiny_classifier.Kinds}
    assert evaluate(classes, learned / "spec.lock.json", argv) == 0
    assert json.loads((learned / "figures.json").read_text())["figures"] == {"top1": 1.0, "top5": 1.0}
    assert "rules" not in capsys.readouterr().out


def test_two_stages_of_different_kinds_have_a_table_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folders(tmp_path / "data")
    detect = tiny_classifier.tiny_detector.stage("detect", epochs=1)
    assert run(write_lock(tmp_path, tmp_path / "data", stage(epochs=1), detect), "--name", "run") == 0
    printed = capsys.readouterr().out
    assert "stage      top1   top5" in printed and "stage   map50   disc  square    map" in printed


def test_splits_of_other_classes_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folders(tmp_path / "data")
    write_folders(tmp_path / "data", ["waves"], train=2)
    path = write_lock(tmp_path, tmp_path / "data", stage())
    assert run(path) == 1
    assert "the head has 2 classes, the data 3" in capsys.readouterr().err
    content = json.loads(path.read_text())
    content["models"]["kinds"]["heads"][0]["options"]["classes"] = 3
    path.write_text(json.dumps(content))
    assert run(path) == 1
    assert "the classes of val are not those of train: `waves` only in train" in capsys.readouterr().err


def test_a_class_without_pictures_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folders(tmp_path / "data")
    for path in (tmp_path / "data/val/leaves").iterdir():
        path.unlink()
    assert run(write_lock(tmp_path, tmp_path / "data", stage(epochs=1))) == 0
    assert "class without picture" in capsys.readouterr().out


def test_names_in_another_order_than_the_folders_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folders(tmp_path / "data")
    path = write_lock(tmp_path, tmp_path / "data", stage())
    content = json.loads(path.read_text())
    content["models"]["kinds"]["heads"][0]["options"]["names"] = KINDS[::-1]
    path.write_text(json.dumps(content))
    assert run(path) == 1
    assert "names its classes in another order" in capsys.readouterr().err


def test_a_set_of_boxes_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(write_lock(tmp_path, tmp_path / "data", stage(data="shapes"))) == 1
    assert "learns one label a picture, and the pictures of `shapes` have boxes" in capsys.readouterr().err


def test_choosing_by_what_is_not_measured_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folders(tmp_path / "data")
    assert run(write_lock(tmp_path, tmp_path / "data", stage(choose="map50"))) == 1
    error = capsys.readouterr().err
    assert "chooses by `map50`, which is not measured" in error and "known: loss, top1, top5" in error


# ---- figures --------------------------------------------------------------------------------------------------------


def _set(root: Path) -> DataSet:
    write_folders(root, ["bricks", "leaves", "waves"], val=2)
    return open_dataset({"format": "folders", "root": str(root), "val": {"folder": "val"}}, "val", root)


def _said(*labels: int) -> Detections:
    boxes = np.tile(np.array([0, 0, 1, 1], np.float32), (len(labels), 1))
    return Detections(boxes, np.linspace(0.9, 0.1, len(labels), dtype=np.float32), np.array(labels, np.int64))


def test_figures_by_hand(tmp_path: Path) -> None:
    said = [_said(0, 1, 2), _said(1, 0, 2), _said(1, 2, 0), _said(2, 0), _said(2), _said()]
    found = classified(_set(tmp_path), said)
    assert found.confusion.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert (found.top1, found.top5) == (3 / 6, 4 / 6)
    assert [(c.recall, c.precision) for c in found.classes] == [(0.5, 1.0), (0.5, 0.5), (0.5, 0.5)]
    assert found.mistaken() == [("bricks", "leaves", 1), ("leaves", "waves", 1)]


def test_the_report_is_whole(tmp_path: Path) -> None:
    found = classified(_set(tmp_path), [_said(0), _said(1), _said(1), _said(1), _said(2), _said(0)])
    paths = write_classes_report(found, tmp_path / "report", "kinds <1>")
    assert all(path.stat().st_size for path in paths)
    assert (tmp_path / "report/confusion.csv").read_text().splitlines()[1] == "bricks,1,1,0"
    assert "kinds &lt;1&gt;" in (tmp_path / "report/index.html").read_text()

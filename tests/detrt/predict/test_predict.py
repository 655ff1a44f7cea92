"""`detc run` without the command: pictures, folders, videos, and inputs that are none of these."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from detrt.data.sample import Image
from detrt.draw import contact_sheet, draw_detections
from detrt.errors import DetrtError
from detrt.evaluate import evaluate
from detrt.files import write_bytes
from detrt.heads.detections import Detections
from detrt.predict import predict
from detrt.predictor import open_predictor


class Finder:
    """Finds the brightest quarter of any picture, and something faint everywhere."""

    name = "finder"
    kind = "test"
    whole = False
    classes = ("quarter", "faint \N{SNOWMAN} <b>")

    def detect(self, image: Image) -> Detections:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        sums = {(x, y): int(image[y : y + height, x : x + width].sum()) for x in (0, width) for y in (0, height)}
        x, y = max(sums, key=lambda at: sums[at])
        box = np.array([[x, y, x + width, y + height], [0, 0, image.shape[1], image.shape[0]]], np.float32)
        size = np.array([image.shape[1], image.shape[0]] * 2, np.float32)
        return Detections(box / size, np.array([0.9, 0.1], np.float32), np.array([0, 1]))


def bright_quarter() -> Image:
    image = np.zeros((60, 80, 3), np.uint8)
    image[30:, 40:] = 250
    return image


def test_a_picture_gives_a_copy_with_boxes_and_the_numbers(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), bright_quarter())
    outcome = predict(Finder(), tmp_path / "a.png", tmp_path / "out")
    assert outcome.files == [tmp_path / "out/a.png"] and (outcome.objects, outcome.drawn) == (2, 1)
    content = json.loads(outcome.results.read_text())
    row = content["pictures"][0]
    assert (row["width"], row["height"]) == (80, 60)
    assert row["detections"][0] == {"class": "quarter", "label": 0, "score": 0.9, "box": [40.0, 30.0, 80.0, 60.0]}
    assert cv2.imread(str(outcome.files[0])).shape == (448, 597, 3)
    assert sorted(os.listdir(tmp_path / "out")) == ["a.png", "detections.json"]


def test_a_lower_score_draws_more_boxes(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), bright_quarter())
    drawn = {least: predict(Finder(), tmp_path / "a.png", tmp_path / f"{least}", None, least) for least in (0.0, 0.95)}
    assert {least: outcome.drawn for least, outcome in drawn.items()} == {0.0: 2, 0.95: 0}
    assert drawn[0.0].files[0].read_bytes() != drawn[0.95].files[0].read_bytes()
    assert json.loads(drawn[0.95].results.read_text()) == json.loads(drawn[0.0].results.read_text())


def test_a_folder_keeps_its_shape_and_names_what_it_could_not_read(tmp_path: Path) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    for name in ("in/a.png", "in/a.jpg", "in/deep/b.bmp"):
        cv2.imwrite(str(tmp_path / name), bright_quarter())
    (tmp_path / "in/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (tmp_path / "in/empty.jpg").write_bytes(b"")
    seen: list[tuple[int, int]] = []
    outcome = predict(Finder(), tmp_path / "in", tmp_path / "in/out", lambda done, all: seen.append((done, all)))
    assert outcome.pictures == 3
    assert sorted(str(f.relative_to(tmp_path / "in/out")) for f in outcome.files) == [
        "a.png",
        "a.png.png",
        "deep/b.png",
    ]
    assert [name for name, _ in outcome.refused] == ["broken.png", "empty.jpg"]
    assert seen[-1] == (5, 5)
    again = predict(Finder(), tmp_path / "in", tmp_path / "in/out")
    assert again.pictures == 3  # its own results are no input


def test_a_video_gives_a_video(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (80, 60))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no videos")
    for _ in range(5):
        writer.write(bright_quarter())
    writer.release()
    outcome = predict(Finder(), tmp_path / "v.avi", tmp_path / "out")
    assert outcome.pictures == 5 and outcome.files == [tmp_path / "out/v.mp4"]
    assert cv2.VideoCapture(str(outcome.files[0])).read()[0]
    assert [row["frame"] for row in json.loads(outcome.results.read_text())["frames"]] == [0, 1, 2, 3, 4]
    assert sorted(os.listdir(tmp_path / "out")) == ["detections.json", "v.mp4"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", b""),
        ("a.jpg", b"\xff\xd8\xff\xe0 cut"),
        ("a.txt", b"hello"),
        ("v.mp4", b"not a video"),
        ("v.avi", b""),
    ],
)
def test_hostile_inputs_are_errors_and_leave_nothing(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DetrtError):
        predict(Finder(), tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists() or not os.listdir(tmp_path / "out")


def test_folders_without_pictures_and_outputs_that_are_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(DetrtError, match="no picture"):
        predict(Finder(), tmp_path / "in", tmp_path / "out")
    with pytest.raises(DetrtError, match="no such"):
        predict(Finder(), tmp_path / "gone", tmp_path / "out")
    cv2.imwrite(str(tmp_path / "a.png"), bright_quarter())
    with pytest.raises(DetrtError, match="no folder"):
        predict(Finder(), tmp_path / "a.png", tmp_path / "a.png")


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text("old")
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(DetrtError, match="cannot write"):
        write_bytes(Path("/dev/full/x"), b"new")
    with pytest.raises(DetrtError, match="cannot write"):
        write_bytes(tmp_path / "kept.json/x", b"new")
    assert (tmp_path / "kept.json").read_text() == "old"


def test_predictors_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign/MANIFEST.json").write_text('{"target": "toaster"}')
    (tmp_path / "lonely.safetensors").write_bytes(b"")
    for name in ("empty", "gone", "foreign", "lonely.safetensors"):
        with pytest.raises(DetrtError):
            open_predictor(tmp_path / name)


def test_evaluation_asks_for_the_same_classes(tmp_path: Path) -> None:
    from detrt.data import open_dataset

    dataset = open_dataset({"format": "synthetic", "val": {"images": 2}}, "val", tmp_path)
    with pytest.raises(DetrtError, match="the detector knows quarter"):
        evaluate(Finder(), dataset)


def test_drawing_never_leaves_the_picture_and_never_writes_into_it() -> None:
    image = bright_quarter()
    before = image.copy()
    boxes = np.array([[-1, -1, 2, 2], [0.99, 0.99, 1, 1], [0, 0, 0, 0]], np.float32)
    found = Detections(boxes, np.array([1, 0.9, 0.8], np.float32), np.array([0, 1, 0]))
    drawn = draw_detections(image, found, Finder.classes)
    assert drawn.shape == (448, 597, 3) and np.array_equal(image, before)
    assert contact_sheet([drawn] * 5, columns=4).shape == (2 * 454 + 6, 4 * 603 + 6, 3)

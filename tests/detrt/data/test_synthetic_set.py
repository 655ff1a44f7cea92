"""The synthetic set: the same every time, exact boxes, few overlaps, and readable back from its VOC folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detrt.data import open_dataset
from detrt.data.check import check_labels
from detrt.data.synthetic import main
from detrt.errors import DetrtError
from detrt.heads.nms import iou_matrix


def synthetic(**more: object) -> dict[str, object]:
    return {"format": "synthetic", "train": {"images": 30, "seed": 5}, "val": {"images": 6, "seed": 5}} | more


def test_it_is_the_same_every_time_and_differs_between_splits(tmp_path: Path) -> None:
    first, again = (open_dataset(synthetic(), "train", tmp_path) for _ in range(2))
    other = open_dataset(synthetic(), "val", tmp_path)
    assert first.hash() == again.hash() != other.hash()
    assert np.array_equal(first.load(3).image, again.load(3).image)
    assert not np.array_equal(first.load(0).image, other.load(0).image)


def test_more_pictures_keep_the_first_ones(tmp_path: Path) -> None:
    few = open_dataset(synthetic(), "train", tmp_path)
    many = open_dataset(synthetic(train={"images": 60, "seed": 5}), "train", tmp_path)
    assert np.array_equal(few.load(29).image, many.load(29).image)


def test_boxes_are_inside_of_fair_size_and_hardly_overlap(tmp_path: Path) -> None:
    dataset = open_dataset(synthetic(), "train", tmp_path)
    usable, report = check_labels(dataset)
    assert report.notices == ()
    for picture in usable:
        boxes = picture.annotation.boxes
        sides = boxes[:, 2:] - boxes[:, :2]
        assert ((sides >= 20) & (sides <= 95)).all()
        assert (iou_matrix(boxes, boxes) - np.eye(len(boxes), dtype=np.float32) < 0.02).all()
    assert min(report.per_class.values()) > 5


def test_a_box_is_where_the_shape_is(tmp_path: Path) -> None:
    """Without objects the ground is the same picture, so the difference is the shape."""
    one = open_dataset(synthetic(options={"objects": [1, 1]}), "train", tmp_path)
    for index in range(10):
        sample = one.load(index)
        x1, y1, x2, y2 = sample.boxes[0].astype(int)
        inside = sample.image[(y1 + y2) // 2, (x1 + x2) // 2].astype(int)
        assert np.abs(inside - sample.image[0, 0].astype(int)).sum() > 20


def test_shapes_and_sizes_can_be_chosen_and_must_exist(tmp_path: Path) -> None:
    data = synthetic(classes=["ring", "cross"], options={"size": [96, 64], "objects": [2, 2]})
    dataset = open_dataset(data, "val", tmp_path)
    assert dataset.load(0).image.shape == (64, 96, 3)
    with pytest.raises(DetrtError, match="did you mean `triangle`"):
        open_dataset(synthetic(classes=["triangel"]), "val", tmp_path)


def test_the_voc_folder_reads_back_equal(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    assert main([str(folder), "--train", "3", "--val", "2", "--test", "0", "--seed", "5"]) == 0
    data = {
        "format": "voc",
        "root": str(folder),
        "classes": ["disc", "square", "triangle"],
        "train": {"split": "train"},
    }
    back, made = open_dataset(data, "train", tmp_path), open_dataset(synthetic(), "train", tmp_path)
    for index in range(3):
        written, drawn = back.load(index), made.load(index)
        assert np.array_equal(written.image, drawn.image)
        assert np.array_equal(written.boxes, drawn.boxes)
        assert np.array_equal(written.labels, drawn.labels)

"""COCO files made by hand: sparse ids, crowds, pictures without boxes, damaged rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from detrt.data import open_dataset
from detrt.data.check import check_labels
from detrt.errors import DetrtError


def content() -> dict[str, Any]:
    return {
        "images": [
            {"id": 70, "file_name": "b.png", "width": 20, "height": 10},
            {"id": 3, "file_name": "a.png", "width": 20, "height": 10},
        ],
        "annotations": [
            {"id": 1, "image_id": 70, "category_id": 90, "bbox": [2, 3, 5, 6], "iscrowd": 0},
            {"id": 2, "image_id": 70, "category_id": 7, "bbox": [0, 0, 20, 10], "iscrowd": 1},
        ],
        "categories": [{"id": 90, "name": "tooth"}, {"id": 7, "name": "bird"}, {"id": 8, "name": "tree"}],
    }


def coco(root: Path, written: object, **more: object) -> dict[str, Any]:
    (root / "pictures").mkdir(parents=True, exist_ok=True)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(root / "pictures" / name), np.zeros((10, 20, 3), np.uint8))
    (root / "labels.json").write_text(written if isinstance(written, str) else json.dumps(written))
    where = {"images": "pictures", "annotations": "labels.json"}
    return {"format": "coco", "root": str(root), "train": where, "val": where} | more


def test_sparse_ids_become_numbers_by_ascending_id(tmp_path: Path) -> None:
    dataset = open_dataset(coco(tmp_path, content()), "val", tmp_path)
    assert dataset.classes == ("bird", "tree", "tooth")
    first, second = dataset.pictures
    assert first.annotation.labels.tolist() == [2, 0]
    assert first.annotation.boxes.tolist() == [[2, 3, 7, 9], [0, 0, 20, 10]]
    assert first.annotation.crowd.tolist() == [False, True]
    assert len(second.annotation) == 0
    usable, report = check_labels(dataset)
    assert len(usable) == 2 and report.boxes == 2


def test_crowds_are_no_aim_of_training(tmp_path: Path) -> None:
    data = coco(tmp_path, content())
    assert open_dataset(data, "train", tmp_path).box_count() == 1
    assert open_dataset(data | {"options": {"crowd": True}}, "train", tmp_path).box_count() == 2


def test_a_subset_is_in_the_order_of_the_spec_and_passes_over_the_rest(tmp_path: Path) -> None:
    dataset = open_dataset(coco(tmp_path, content(), classes=["tooth", "tree"]), "val", tmp_path)
    assert dataset.pictures[0].annotation.labels.tolist() == [0]
    assert dataset.notices == ()


def test_a_classes_file_names_them(tmp_path: Path) -> None:
    data = coco(tmp_path, content(), classes_file="names.txt")
    (tmp_path / "names.txt").write_text("tree\nbird\n\n")
    assert open_dataset(data, "val", tmp_path).classes == ("tree", "bird")
    with pytest.raises(DetrtError, match="leaves the data folder"):
        open_dataset(data | {"classes_file": "../../etc/passwd"}, "val", tmp_path)


def test_a_class_that_is_not_there_is_an_error_with_a_guess(tmp_path: Path) -> None:
    with pytest.raises(DetrtError, match="did you mean `tooth`"):
        open_dataset(coco(tmp_path, content(), classes=["toth"]), "val", tmp_path)


def test_damaged_rows_cost_themselves_only(tmp_path: Path) -> None:
    damaged = content()
    damaged["images"] += [
        {"id": 3, "file_name": "a.png"},
        {"id": 4, "file_name": "../../etc/passwd"},
        {"id": 5},
        "not a row",
    ]
    damaged["annotations"] += [
        {"image_id": 3, "category_id": 90, "bbox": [1, 2, 3]},
        {"image_id": 3, "category_id": 1, "bbox": [1, 2, 3, 4]},
        {"image_id": 3, "category_id": 90, "bbox": [1, 2, 3, "x"]},
        {"image_id": 3, "category_id": 90, "bbox": [5, 5, 0, 2]},
        {"image_id": 3, "category_id": 90, "bbox": [5, 5, 2, 2]},
        {"image_id": {}, "category_id": [], "bbox": {}},
    ]
    usable, report = check_labels(open_dataset(coco(tmp_path, damaged), "val", tmp_path))
    kinds = [notice.kind for notice in report.notices]
    assert kinds.count("degenerate box") == 3
    assert kinds.count("unknown class") == 1
    assert kinds.count("repeated picture") == 1
    assert kinds.count("broken label file") == 2
    assert kinds.count("stray box") == 1
    assert [len(p.annotation) for p in usable] == [2, 1]


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"images": 3}', "null", '"x"'])
def test_a_file_that_is_not_coco_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(DetrtError):
        open_dataset(coco(tmp_path, text), "val", tmp_path)


def test_coco_mini(shared: Path) -> None:
    where = {"images": "val2017", "annotations": "annotations/instances_val2017.json"}
    data = {"format": "coco", "root": "data/coco_mini", "val": where}
    usable, report = check_labels(open_dataset(data, "val", shared))
    assert (len(usable), report.boxes, len(usable.classes)) == (20, 110, 80)

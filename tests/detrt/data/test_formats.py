"""The same pictures and boxes, whatever format they are stored in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import format_makers as make
import numpy as np
import pytest

from detrt.data import DataSet, open_dataset
from detrt.data.check import check_labels
from detrt.data.class_names import read_names
from detrt.data.header import picture_size
from detrt.errors import DetrtError

MAKERS = [make.voc, make.coco, make.yolo, make.gnetdet, make.bdd100k]


def truth_of(dataset: DataSet) -> dict[str, tuple[list[list[float]], list[str]]]:
    """Boxes and class names by the last part of the name."""
    return {
        p.id.rsplit("/", 1)[-1]: (
            np.round(p.annotation.boxes, 3).tolist(),
            [dataset.classes[n] for n in p.annotation.labels],
        )
        for p in dataset
    }


EXPECTED = {name: (boxes, [make.CLASSES[n] for n in labels]) for name, (boxes, labels) in make.TRUTH.items()}


@pytest.mark.parametrize("maker", MAKERS, ids=lambda m: m.__name__)
def test_every_format_says_the_same(maker: Callable[[Path], dict[str, Any]], tmp_path: Path) -> None:
    dataset = open_dataset(maker(tmp_path), "train", tmp_path)
    by_id = truth_of(dataset)
    if maker is make.coco:  # names of its pictures are ids
        by_id = {"ab"[int(key) - 100]: value for key, value in by_id.items()}
    assert by_id == EXPECTED
    usable, report = check_labels(dataset)
    assert (len(usable), report.boxes, report.notices) == (2, 3, ())
    assert {(p.width, p.height) for p in dataset} == {make.SIZE}
    assert dataset.load(0).image.shape == (30, 40, 3)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda m: m.__name__)
def test_a_subset_of_the_classes_is_numbered_anew(maker: Callable[[Path], dict[str, Any]], tmp_path: Path) -> None:
    data = maker(tmp_path)
    if data["format"] in ("yolo", "gnetdet"):
        (tmp_path / "names.txt").write_text("cat\ndog\n")
        data |= {"options": {"names": "names.txt"}}
    dataset = open_dataset(data | {"classes": ["dog"]}, "train", tmp_path)
    assert dataset.classes == ("dog",)
    assert [p.annotation.labels.tolist() for p in dataset] == [[0], []]


def test_two_years_of_voc_make_one_set(tmp_path: Path) -> None:
    make.voc(tmp_path, "trainval", ["a"], "VOC2007")
    data = make.voc(tmp_path, "trainval", ["a", "b"], "VOC2012")
    years = data | {"train": {"split": ["VOC2007/trainval", "VOC2012/trainval", "VOC2012/trainval"]}}
    dataset = open_dataset(years, "train", tmp_path)
    assert [p.id for p in dataset] == ["VOC2007/a", "VOC2012/a", "VOC2012/b"]
    assert [n.kind for n in dataset.notices] == ["repeated picture"] * 2
    assert dataset.load(2).boxes.tolist() == make.TRUTH["b"][0]


def test_voc_pictures_and_labels_may_lie_elsewhere_without_a_list(tmp_path: Path) -> None:
    make.voc(tmp_path)
    (tmp_path / "JPEGImages").rename(tmp_path / "pictures")
    (tmp_path / "Annotations").rename(tmp_path / "xml")
    where = {"split": None, "images": "pictures", "annotations": "xml"}
    data = {"format": "voc", "root": ".", "classes": make.CLASSES, "train": where}
    assert truth_of(open_dataset(data, "train", tmp_path)) == EXPECTED


def test_coco_tests_have_no_labels(tmp_path: Path) -> None:
    data = make.coco(tmp_path)
    path = tmp_path / "annotations/instances_train2017.json"
    content = json.loads(path.read_text())
    del content["annotations"]
    path.write_text(json.dumps(content))
    usable, report = check_labels(open_dataset(data | {"test": data["train"]}, "test", tmp_path))
    assert (len(usable), report.boxes, usable.labelled, usable.classes) == (2, 0, False, ("cat", "dog"))
    bare = {"images": "train2017", "annotations": None}
    assert len(open_dataset(data | {"test": bare}, "test", tmp_path)) == 2


def test_darknet_keeps_labels_beside_pictures_and_lists_them(tmp_path: Path) -> None:
    data = make.yolo(tmp_path, "obj", "obj")
    (tmp_path / "train.txt").write_text("obj/b.jpg\n./obj/a.jpg\n\nobj/b.jpg\n/etc/passwd.jpg\n")
    dataset = open_dataset(data | {"train": {"images": "train.txt"}}, "train", tmp_path)
    assert [p.id for p in dataset] == ["obj/b", "obj/a"]
    assert truth_of(dataset) == EXPECTED
    assert sorted(n.kind for n in dataset.notices) == ["broken name", "repeated picture"]


@pytest.mark.parametrize(
    "text",
    [
        "path: x\nnames:\n  0: cat\n  1: dog  # barks\nnc: 2\n",
        "names: ['cat', \"dog\"]\n",
        "names: {0: cat, 1: dog}",
        "train: a\nnames:\n- cat\n- dog\n",
    ],
)
def test_a_data_yaml_names_the_numbers(tmp_path: Path, text: str) -> None:
    data = make.yolo(tmp_path) | {"classes": None, "options": {"names": "data.yaml"}}
    (tmp_path / "data.yaml").write_text(text)
    assert open_dataset(data, "train", tmp_path).classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [\"cat, big\", 'dog]', it is]\n", {0: "cat, big", 1: "dog]", 2: "it is"}),
        ("names: ['it''s', a,\n  b]", {0: "it's", 1: "a", 2: "b"}),
        ('names: {0: "a: b", 7: c}', {0: "a: b", 7: "c"}),
        ('names: ["cat\\n\\u001b[2J", "\\ud83d"]', {0: "cat\\n\\x1b[2J", 1: "\\ud83d"}),
    ],
)
def test_quotes_hold_commas_and_no_name_moves_the_cursor(tmp_path: Path, text: str, names: dict[int, str]) -> None:
    (tmp_path / "data.yaml").write_text(text)
    assert read_names(tmp_path, "data.yaml") == names


@pytest.mark.parametrize("text", ["names: [a", "names: {" + "9" * 5000 + ": a}", "names: [", "names: 5", "names: []"])
def test_what_is_no_list_of_names_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DetrtError, match=r"is no list|names 0 classes"):
        read_names(tmp_path, "data.yaml")


def test_names_of_a_label_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    data = make.coco(tmp_path)
    path = tmp_path / "annotations/instances_train2017.json"
    path.write_text(
        path.read_text().replace('"cat"', '"\\u001b[2Jcat\\r\\n\\u202e"').replace('"a.jpg"', '"\\u001b]0;x"')
    )
    _, report = check_labels(open_dataset(data, "train", tmp_path))
    assert "\\x1b[2Jcat\\r\\n\\u202e" in report.per_class
    assert all(line.isprintable() for line in report.lines())


def test_a_yolo_outline_gives_its_box_and_a_missing_file_no_object(tmp_path: Path) -> None:
    data = make.yolo(tmp_path)
    (tmp_path / "labels/train/a.txt").write_text("0 0.25 0.5 0.5 0.1 0.75 0.9\n")
    (tmp_path / "labels/train/b.txt").unlink()
    dataset = open_dataset(data, "train", tmp_path)
    assert [np.round(p.annotation.boxes, 3).tolist() for p in dataset] == [[[10, 3, 30, 27]], []]
    assert dataset.notices == ()


def test_class_folders_label_whole_pictures(tmp_path: Path) -> None:
    data = make.folders(tmp_path, {"n02": 1, "n01": 2})
    dataset = open_dataset(data, "train", tmp_path)
    assert dataset.whole and dataset.classes == ("n01", "n02")
    assert [p.annotation.labels.tolist() for p in dataset] == [[0], [0], [1]]
    assert dataset.pictures[0].annotation.boxes.tolist() == [[0, 0, 40, 30]]
    usable, report = check_labels(open_dataset(data | {"classes": ["n02"]}, "train", tmp_path))
    assert (len(usable), report.per_class) == (1, {"n02": 1})
    with pytest.raises(DetrtError, match="no folder `n03`, did you mean `n0"):
        open_dataset(data | {"classes": ["n03"]}, "train", tmp_path)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda m: m.__name__)
def test_a_validation_split_is_carved_out(maker: Callable[[Path], dict[str, Any]], tmp_path: Path) -> None:
    data = maker(tmp_path) | {"val": {"of": "train", "share": 0.5, "seed": 4}}
    train, val = (open_dataset(data, split, tmp_path) for split in ("train", "val"))
    assert (len(train), len(val), val.split) == (1, 1, "val")
    assert {train.pictures[0].id, val.pictures[0].id} == {
        p.id for p in open_dataset(maker(tmp_path), "train", tmp_path)
    }
    again = open_dataset(data, "val", tmp_path)
    assert again.pictures[0].id == val.pictures[0].id
    with pytest.raises(DetrtError, match="leaves a split empty"):
        open_dataset(data | {"val": {"of": "train", "share": 0.01, "seed": 4}}, "val", tmp_path)


def test_the_seed_chooses_what_is_held_back(tmp_path: Path) -> None:
    data = make.folders(tmp_path, {"x": 12})
    chosen = {
        tuple(p.id for p in open_dataset(data | {"val": {"of": "train", "share": 0.25, "seed": seed}}, "val", tmp_path))
        for seed in range(4)
    }
    assert len(chosen) > 1 and {len(ids) for ids in chosen} == {3}


def test_sizes_are_those_that_are_read(tmp_path: Path) -> None:
    image = np.full((30, 40, 3), 90, np.uint8)
    for suffix in (".jpg", ".png", ".bmp"):
        cv2.imwrite(str(tmp_path / f"a{suffix}"), image)
        assert picture_size(tmp_path / f"a{suffix}") == (40, 30)
    jpeg = (tmp_path / "a.jpg").read_bytes()
    for order, number in (("<", b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"), (">", b"")):
        if order == ">":
            number = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
        exif = b"Exif\0\0" + number
        turned = tmp_path / "turned.jpg"
        turned.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + jpeg[2:])
        seen = cv2.imread(str(turned))
        assert seen is not None and picture_size(turned) == (seen.shape[1], seen.shape[0]) == (30, 40)
    with pytest.raises(DetrtError):
        picture_size(tmp_path / "none.jpg")


def test_blood_cells_without_a_list(shared: Path) -> None:
    where = {"split": ["train", "val", "test"]}
    data = {"format": "voc", "root": "bccd", "classes": ["RBC", "WBC", "Platelets"], "train": where}
    dataset = open_dataset(data, "train", shared / "data")
    assert len(dataset) == 364
    found = np.bincount(np.concatenate([p.annotation.labels for p in dataset]))
    assert sum(found) + sum(n.kind == "degenerate box" for n in dataset.notices) == 4155 + 372 + 361

"""Pascal VOC folders made by hand, among them hostile ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from detrt.data import open_dataset
from detrt.data.check import check_labels
from detrt.errors import DetrtError

CLASSES = ["cat", "dog"]


def make_voc(root: Path, labels: dict[str, str], split: str = "train", size: tuple[int, int] = (40, 30)) -> Path:
    """A VOC folder with grey pictures; `labels` gives the text of each xml file, or "" for none."""
    for part in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (root / part).mkdir(parents=True, exist_ok=True)
    for id, text in labels.items():
        cv2.imwrite(str(root / "JPEGImages" / f"{id}.png"), np.full((size[1], size[0], 3), 90, np.uint8))
        if text:
            (root / "Annotations" / f"{id}.xml").write_text(text)
    (root / "ImageSets/Main" / f"{split}.txt").write_text("".join(f"{id}\n" for id in labels))
    return root


def xml(*objects: tuple[str, tuple[float, float, float, float]], extra: str = "") -> str:
    items = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{b[0]}</xmin><ymin>{b[1]}</ymin><xmax>{b[2]}</xmax><ymax>{b[3]}</ymax></bndbox>"
        f"{extra}</object>"
        for name, b in objects
    )
    return f"<annotation><size><width>40</width><height>30</height></size>{items}</annotation>"


def voc(root: Path, **more: object) -> dict[str, object]:
    return {"format": "voc", "root": str(root), "classes": CLASSES, "train": {"split": "train"}} | more


def test_a_box_over_the_whole_picture_is_its_size(tmp_path: Path) -> None:
    make_voc(tmp_path, {"a": xml(("dog", (1, 1, 40, 30)))})
    sample = open_dataset(voc(tmp_path), "train", tmp_path).load(0)
    assert sample.image.shape == (30, 40, 3)
    assert sample.boxes.tolist() == [[0, 0, 40, 30]]
    assert sample.labels.tolist() == [1]


def test_a_missing_split_names_those_that_exist(tmp_path: Path) -> None:
    make_voc(tmp_path, {"a": xml()})
    with pytest.raises(DetrtError) as caught:
        open_dataset(voc(tmp_path, train={"split": "tarin"}), "train", tmp_path)
    assert "did you mean `train`?" in caught.value.message
    assert "train" in caught.value.remedy


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/hostname", "a\0b"])
def test_names_that_leave_the_root_are_refused(tmp_path: Path, name: str) -> None:
    root = make_voc(tmp_path / "set", {"a": xml(("dog", (1, 1, 40, 30)))})
    (root / "ImageSets/Main/train.txt").write_text(f"{name}\na\n")
    dataset = open_dataset(voc(root), "train", tmp_path)
    assert [picture.id for picture in dataset] == ["a"]
    assert [notice.kind for notice in dataset.notices] in (["broken label file"], ["missing label file"])
    with pytest.raises(DetrtError):
        open_dataset(voc(root, train={"split": "../../../x"}), "train", tmp_path)


def test_a_file_name_in_the_xml_cannot_leave_the_root(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "secret.png"), np.zeros((4, 4, 3), np.uint8))
    text = xml(("dog", (1, 1, 9, 9))).replace("<size>", "<filename>../../secret.png</filename><size>")
    root = make_voc(tmp_path / "set", {"a": text})
    dataset = open_dataset(voc(root), "train", tmp_path)
    assert dataset.pictures[0].path.is_relative_to(root)


@pytest.mark.parametrize(
    "text",
    [
        "<annotation><object>",
        '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><annotation><object><name>&c;</name></object></annotation>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>',
        "\0\1\2",
        '<?xml version="1.0" encoding="martian"?><annotation/>',
    ],
)
def test_malformed_and_hostile_xml_costs_one_picture(tmp_path: Path, text: str) -> None:
    make_voc(tmp_path, {"bad": text, "good": xml(("cat", (2, 2, 20, 20)))})
    dataset = open_dataset(voc(tmp_path), "train", tmp_path)
    assert [picture.id for picture in dataset] == ["good"]
    assert [(n.kind, n.where, n.action) for n in dataset.notices] == [
        ("broken label file", "bad", "left out the picture")
    ]


def test_difficult_boxes_are_left_out_of_training_only_when_told(tmp_path: Path) -> None:
    marked = xml(("cat", (2, 2, 20, 20)), extra="<difficult>1</difficult>")
    make_voc(tmp_path, {"a": marked})
    make_voc(tmp_path, {"a": marked}, split="val")
    data = voc(tmp_path, val={"split": "val"}, options={"difficult": False})
    assert open_dataset(data, "train", tmp_path).box_count() == 0
    scored = open_dataset(data, "val", tmp_path)
    assert scored.pictures[0].annotation.difficult.tolist() == [True]
    assert open_dataset(data | {"options": {"difficult": True}}, "train", tmp_path).box_count() == 1


def test_without_a_list_classes_are_numbered_by_name(tmp_path: Path) -> None:
    make_voc(tmp_path, {"a": xml(("zebra", (1, 1, 9, 9)), ("ape", (1, 1, 9, 9)))})
    dataset = open_dataset(voc(tmp_path, classes=None), "train", tmp_path)
    assert dataset.classes == ("ape", "zebra")
    assert dataset.pictures[0].annotation.labels.tolist() == [1, 0]


def test_the_table_tells_what_was_found_and_done(tmp_path: Path) -> None:
    root = make_voc(
        tmp_path,
        {
            "fine": xml(("cat", (1, 1, 20, 20))),
            "thin": xml(("cat", (5, 5, 5, 9)), ("dog", (3, 3, 9, 9))),
            "over": xml(("cat", (30, 20, 60, 50))),
            "away": xml(("cat", (50, 50, 60, 60))),
            "alien": xml(("dgo", (1, 1, 9, 9))),
            "gone": xml(("dog", (1, 1, 9, 9))),
            "torn": xml(("dog", (1, 1, 9, 9))),
            "unlabelled": "",
        },
    )
    (root / "JPEGImages/gone.png").unlink()
    torn = root / "JPEGImages/torn.png"
    torn.write_bytes(torn.read_bytes()[:-20])
    usable, report = check_labels(open_dataset(voc(root), "train", tmp_path))
    assert [p.id for p in usable] == ["fine", "thin", "over", "away", "alien"]
    assert sorted((n.kind, n.where, n.action) for n in report.notices) == [
        ("box outside", "away", "left out the box"),
        ("box partly outside", "over", "clipped the box"),
        ("broken image", "torn", "left out the picture"),
        ("degenerate box", "thin", "left out the box"),
        ("missing image", "gone", "left out the picture"),
        ("missing label file", "unlabelled", "left out the picture"),
        ("unknown class", "alien", "left out the box"),
    ]
    assert usable.pictures[2].annotation.boxes.tolist() == [[29, 19, 40, 30]]
    assert (report.pictures, report.boxes, report.per_class) == (5, 3, {"cat": 2, "dog": 1})
    assert report.lines()[0] == "data.train: 5 pictures, 3 boxes (cat 2, dog 1)"
    assert any("did you mean `dog`?" in line for line in report.lines())


def test_a_set_without_a_usable_box_stops(tmp_path: Path) -> None:
    make_voc(tmp_path, {"a": xml(("bird", (1, 1, 9, 9)))})
    with pytest.raises(DetrtError) as caught:
        check_labels(open_dataset(voc(tmp_path), "train", tmp_path))
    assert "no box of the set can be used" in str(caught.value)
    assert "`bird`" in caught.value.remedy


def test_the_hash_sees_labels_and_pictures(tmp_path: Path) -> None:
    make_voc(tmp_path, {"a": xml(("cat", (1, 1, 9, 9)))})
    first = open_dataset(voc(tmp_path), "train", tmp_path).hash()
    assert open_dataset(voc(tmp_path), "train", tmp_path).hash() == first
    make_voc(tmp_path, {"a": xml(("cat", (1, 1, 9, 8)))})
    assert open_dataset(voc(tmp_path), "train", tmp_path).hash() != first


def test_blood_cells(shared: Path) -> None:
    data = {"format": "voc", "root": "bccd", "classes": ["RBC", "WBC", "Platelets"]}
    found = {}
    for split in ("train", "val", "test"):
        dataset = open_dataset(data | {split: {"split": split}}, split, shared / "data")
        usable, report = check_labels(dataset)
        found[split] = (len(usable), report.boxes, sum(n.kind == "degenerate box" for n in report.notices))
    assert found == {"train": (205, 2804, 1), "val": (87, 1137, 1), "test": (72, 945, 0)}

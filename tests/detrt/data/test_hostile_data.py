"""Data as it is, or as someone made it to do harm: an error or a notice with place and cause, never a traceback."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import format_makers as make
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detrt.data import open_dataset
from detrt.data.check import LabelReport, check_labels
from detrt.errors import DetrtError

Damage = Callable[[Path], object]


def png_of(width: int, height: int) -> bytes:
    """A PNG that states this size and holds no more than a few bytes."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + end


def checked(data: dict[str, Any], folder: Path) -> LabelReport:
    return check_labels(open_dataset(data, "train", folder))[1]


def write(path: str, content: str | bytes) -> Damage:
    return lambda root: (root / path).write_bytes(content.encode() if isinstance(content, str) else content)


def link(path: str, target: str) -> Damage:
    def damage(root: Path) -> None:
        (root / path).unlink()
        (root / path).symlink_to(target)

    return damage


def frames(change: Callable[[list[Any]], object]) -> Damage:
    def damage(root: Path) -> None:
        path = root / "labels/det_20/det_train.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return damage


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]><annotation><object><name>&c;</name></object></annotation>'

NOTICED: list[tuple[Any, Damage, str, str]] = [
    (make.voc, write("Annotations/b.xml", BOMB), "broken label file", "declares a DTD"),
    (make.voc, write("Annotations/b.xml", "<a>" * 50_000), "broken label file", ""),
    (make.voc, write("Annotations/b.xml", b"<annotation><object><name>\xff\xfe</name>"), "broken label file", ""),
    (make.voc, write("Annotations/b.xml", " " * (2**24 + 1)), "broken label file", "larger than 16 MiB"),
    (make.voc, write("JPEGImages/b.jpg", b""), "broken image", "empty file"),
    (make.voc, write("JPEGImages/b.jpg", b"GIF89a"), "broken image", "not a picture"),
    (make.voc, lambda root: os.truncate(root / "JPEGImages/b.jpg", 300), "broken image", "cut off"),
    (make.voc, write("JPEGImages/b.jpg", png_of(60_000, 60_000)), "broken image", ""),
    (make.voc, lambda root: (root / "JPEGImages/b.jpg").unlink(), "missing image", "b.jpg"),
    (make.voc, link("Annotations/b.xml", "/etc/passwd"), "broken label file", "leaves the data folder"),
    (make.yolo, write("labels/train/b.txt", "0 .5 .5 .2"), "broken label line", "line 1"),
    (make.yolo, write("labels/train/b.txt", "0 nan .5 .2 .2"), "broken label line", "line 1"),
    (make.yolo, write("labels/train/b.txt", "0 .5 .5 .2 1e300"), "broken label line", "line 1"),
    (make.yolo, write("labels/train/b.txt", "7 .5 .5 .2 .2"), "unknown class", "class 7 of 2"),
    (make.yolo, write("labels/train/b.txt", "-1 .5 .5 .2 .2"), "unknown class", "class -1 of 2"),
    (make.yolo, write("labels/train/b.txt", "0.5 .5 .5 .2 .2"), "unknown class", "class 0.5"),
    (make.yolo, write("labels/train/b.txt", "0 .5 .5 0 .2"), "degenerate box", ""),
    (make.yolo, write("labels/train/b.txt", "0 1.5 .5 .2 .2"), "box outside", ""),
    (make.yolo, write("labels/train/b.txt", b"\xff\xff"), "broken label file", "not UTF-8"),
    (make.yolo, write("images/train/b.jpg", png_of(60_000, 60_000)), "broken image", ""),
    (make.yolo, link("images/train/b.jpg", "/etc/hostname"), "broken name", "a link out of"),
    (make.yolo, lambda root: os.rename(root / "images/train/b.jpg", os.fsencode(root) + b"/images/train/\xff.jpg"),
     "broken name", "not UTF-8"),
    (make.gnetdet, write("train.txt", "a.jpg 1 1 9 9 0 2 2\n"), "broken label line", "7 numbers"),
    (make.gnetdet, write("train.txt", "a.jpg 1 1 9 9 0\na.jpg 1 1 9 9 0\n"), "repeated picture", "line 2"),
    (make.gnetdet, write("train.txt", "a.jpg 1 1 9 9 0\n../../x.jpg 1 1 9 9 0\n"), "broken label line", "leaves"),
    (make.gnetdet, write("train.txt", "a.jpg 1 1 9 9 0 1 1 9 9 x\n"), "broken label line", ""),
    (make.gnetdet, write("train.txt", "a.jpg 1 1 9 9 0 1 1 9 9 5\n"), "unknown class", "class 5 of 2"),
    (make.bdd100k, frames(lambda f: f[1].update(name="../../x.jpg")), "broken label file", "x.jpg"),
    (make.bdd100k, frames(lambda f: f[1].update(name="\ud800.jpg")), "broken label file", "ud800"),
    (make.bdd100k, frames(lambda f: f[1]["labels"][0].update(box2d={"x1": 1})), "degenerate box", ""),
    (make.bdd100k, frames(lambda f: f[1]["labels"][0].update(category="dgo")), "unknown class", "did you mean `dog`?"),
    (make.bdd100k, frames(lambda f: f.append(f[0])), "repeated picture", ""),
]  # fmt: skip


@pytest.mark.parametrize(("maker", "damage", "kind", "detail"), NOTICED)
def test_one_bad_entry_costs_itself_only(maker: Any, damage: Damage, kind: str, detail: str, tmp_path: Path) -> None:
    data = maker(tmp_path)
    damage(tmp_path)
    report = checked(data, tmp_path)
    found = [notice for notice in report.notices if notice.kind == kind]
    assert len(found) == 1, report.notices
    assert detail in found[0].detail
    assert report.boxes >= 1
    "\n".join(report.lines()).encode("utf-8")  # can be printed


REFUSED: list[tuple[Any, Damage, str]] = [
    (make.coco, write("annotations/instances_train2017.json", '{"images": [1'), "is not JSON"),
    (make.coco, write("annotations/instances_train2017.json", '{"images": ' + "9" * 5000), "is not JSON"),
    (make.coco, write("annotations/instances_train2017.json", "[" * 200_000), "nested too deeply"),
    (make.coco, write("annotations/instances_train2017.json", b'{"images": "\xff"}'), "not UTF-8"),
    (make.coco, write("annotations/instances_train2017.json", '{"images": [], "annotations": [], "categories": []}'),
     "lists no picture"),
    (make.coco, link("annotations/instances_train2017.json", "/etc/passwd"), "leaves the data folder"),
    (make.voc, write("ImageSets/Main/train.txt", "\n\n"), "lists no picture"),
    (make.voc, write("ImageSets/Main/train.txt", b"\xff\n"), "not UTF-8"),
    (make.voc, lambda root: (root / "ImageSets/Main/train.txt").unlink(), "there is no split `train`"),
    (make.yolo, lambda root: [p.unlink() for p in (root / "images/train").iterdir()], "has no picture"),
    (make.gnetdet, write("train.txt", ""), "names no picture"),
    (make.bdd100k, write("labels/det_20/det_train.json", "{}"), "is no list of frames"),
    (make.bdd100k, write("labels/det_20/det_train.json", "[3]"), "is no list of frames"),
]  # fmt: skip


@pytest.mark.parametrize(("maker", "damage", "message"), REFUSED)
def test_a_set_that_cannot_be_read_is_an_error(maker: Any, damage: Damage, message: str, tmp_path: Path) -> None:
    data = maker(tmp_path)
    damage(tmp_path)
    with pytest.raises(DetrtError) as caught:
        checked(data, tmp_path)
    assert message in caught.value.message
    assert caught.value.place


def test_classes_that_the_data_lacks(tmp_path: Path) -> None:
    for maker in (make.coco, make.bdd100k):
        root = tmp_path / maker.__name__
        with pytest.raises(DetrtError) as caught:
            open_dataset(maker(root) | {"classes": ["horse"]}, "train", tmp_path)
        assert "horse" in caught.value.message and "dog" in caught.value.remedy
    report = checked(make.voc(tmp_path / "voc") | {"classes": ["cat", "dog", "horse"]}, tmp_path)
    assert [(n.kind, n.detail) for n in report.notices] == [("class without box", "`horse`")]


@pytest.mark.parametrize(
    "boxes",
    [
        [10**400, 1, 2, 3],
        [1e300, 1, 2, 3],
        [True, 1, 2, 3],
        ["a", 1, 2, 3],
        None,
        {"x": 1},
        [float("nan"), 1, 2, 3],
        [[1], 2, 3, 4],
    ],
)
def test_coordinates_that_are_none(tmp_path: Path, boxes: object) -> None:
    data = make.coco(tmp_path)
    path = tmp_path / "annotations/instances_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"][1]["bbox"] = boxes
    path.write_text(json.dumps(content))
    report = checked(data, tmp_path)
    assert report.boxes == 2 and [n.kind for n in report.notices] == ["degenerate box"]


def test_repeated_ids_and_boxes_are_told(tmp_path: Path) -> None:
    data = make.coco(tmp_path)
    path = tmp_path / "annotations/instances_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"].append(dict(content["annotations"][0]))
    path.write_text(json.dumps(content))
    report = checked(data, tmp_path)
    assert report.boxes == 4
    assert sorted(n.kind for n in report.notices) == ["repeated box", "repeated id"]


def test_names_of_a_json_file_can_be_printed(tmp_path: Path) -> None:
    data = make.coco(tmp_path)
    path = tmp_path / "annotations/instances_train2017.json"
    path.write_text(path.read_text().replace('"cat"', '"c\\ud800t"'))
    report = checked(data, tmp_path)
    assert "c\\ud800t 2" in "\n".join(report.lines())


MUTATED = {
    make.voc: "Annotations/b.xml",
    make.coco: "annotations/instances_train2017.json",
    make.yolo: "labels/train/b.txt",
    make.gnetdet: "train.txt",
    make.bdd100k: "labels/det_20/det_train.json",
}


@pytest.fixture(scope="module")
def whole_sets(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, tuple[Path, dict[str, Any], bytes]]:
    made = {}
    for maker, path in MUTATED.items():
        root = tmp_path_factory.mktemp(maker.__name__)
        data = maker(root)
        made[maker] = (root / path, data, (root / path).read_bytes())
    return made


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(list(MUTATED)), st.randoms(use_true_random=False), st.integers(1, 6))
def test_mutated_label_files_never_break_a_reader(whole_sets: Any, maker: Any, rng: Any, times: int) -> None:
    path, data, content = whole_sets[maker]
    changed = bytearray(content)
    spice = [
        b"-1",
        b"1e999",
        b"null",
        b"[",
        b"}",
        b"\xff",
        b"\0",
        b"<a>",
        b"NaN",
        b"99999999999",
        b'"',
        b"\n",
        b" ",
        b"{}",
    ]
    for _ in range(times):
        at = rng.randrange(len(changed) + 1)
        changed[at : at + rng.randrange(4)] = rng.choice(spice)
    path.write_bytes(bytes(changed))
    try:
        report = check_labels(open_dataset(data, "train", path.parent), workers=1)[1]
        "\n".join(report.lines()).encode("utf-8")
    except DetrtError as error:
        str(error).encode("utf-8")
    finally:
        path.write_bytes(content)

"""Data blocks: read without touching the disk, every mistake a finding."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_texts import MODEL, codes, errors, program_of, under

RAM = {"name": "ram", "size": None}


def test_formats_resolve_to_what_the_readers_take(tmp_path: Path) -> None:
    text = """
data a = data.voc(root = path("a"), classes = ["x", "y"], test = "test")
data b = data.coco(root = path("b"), train = "t", val = none)
data c = data.synthetic(train = 20 images, val = 4 images, size = [64, 48], objects = 1 .. 3, seed = 7)
data d { format = images  root = path("d")  train = "shots" }
"""
    data = program_of(tmp_path, text).data
    assert data["a"].options == {
        "root": "a", "classes": ["x", "y"], "classes_file": None,
        **{name: {"split": name, "images": "JPEGImages", "annotations": "Annotations"} for name in ("train", "val", "test")},
        "options": {"difficult": True, "cache": RAM},
    }  # fmt: skip
    assert data["b"].options["train"] == {"images": "t", "annotations": "annotations/instances_t.json"}
    assert data["b"].options["val"] is None
    assert data["c"].options["train"] == {"images": 20, "seed": 7}
    assert data["c"].options["options"] == {"size": [64, 48], "objects": [1, 3]}
    assert (data["d"].format, data["d"].options["train"]) == ("images", {"folder": "shots"})


def test_shapes_that_move_are_frames_of_whole_videos(tmp_path: Path) -> None:
    text = """
data a = data.synthetic(train = 96 images, val = 32 images, steps = 16)
data b = data.synthetic(train = 96 images, val = none, steps = 16, frames = 48)
data c = data.synthetic(steps = 16)
"""
    program = program_of(tmp_path, text)
    assert not errors(program)
    data = {name: d.options for name, d in program.data.items()}
    assert data["a"]["options"] == {"size": [224, 224], "objects": [1, 4], "steps": 16, "frames": 16}
    assert data["b"]["options"] == {"size": [224, 224], "objects": [1, 4], "steps": 16, "frames": 48}
    assert (data["c"]["train"]["images"], data["c"]["val"]["images"]) == (192, 48)
    assert codes(program_of(tmp_path, "data d = data.synthetic(train = 100 images, steps = 16)")) == ["DAT118"]
    assert codes(program_of(tmp_path, "data d = data.synthetic(steps = 16, frames = 8)")) == ["DAT119"]


def test_every_reader_is_told_where_its_files_are(tmp_path: Path) -> None:
    text = """
data a = data.voc(root = "VOCdevkit", classes = ["x"], train = ["VOC2007/trainval", "VOC2012/trainval"], val = "VOC2007/test")
data b = data.voc(root = "r", classes = ["x"], train = split(list = none, images = "i", annotations = "l"), val = none)
data c = data.coco(root = "r", train = split(images = "shots", annotations = "l.json"), test = split(images = "t"))
data d = data.yolo(root = "r", names = "data.yaml", train = ["images/a", "more.txt"], validation_split = 20 %, seed = 7)
data e = data.gnetdet(root = "r", classes = ["x"], images = "JPEGImages")
data f = data.bdd100k(root = "bdd100k")
data g = data.bdd100k_track(root = "bdd100k", track = "box_track_20", steps = 16)
data h = data.folders(root = "imagenet", cache = disk(size = 2 GiB))
data i = data.video(root = "v", train = "road.mp4", every = 5, cache = none)
"""
    program = program_of(tmp_path, text)
    assert not errors(program)
    data = {name: d.options for name, d in program.data.items()}
    assert data["a"]["train"]["split"] == ["VOC2007/trainval", "VOC2012/trainval"]
    assert data["b"]["train"] == {"split": None, "images": "i", "annotations": "l"}
    assert data["c"]["train"] == {"images": "shots", "annotations": "l.json"}
    assert data["c"]["test"] == {"images": "t", "annotations": None}
    assert data["d"]["train"] == {"images": ["images/a", "more.txt"], "labels": None}
    assert data["d"]["val"] == {"of": "train", "share": 0.2, "seed": 7}
    assert data["d"]["options"] == {"names": "data.yaml", "cache": RAM}
    assert data["e"]["val"] == {"list": "valid.txt", "images": "JPEGImages"}
    assert data["f"]["val"] == {"images": "images/100k/val", "annotations": "labels/det_20/det_val.json"}
    assert (len(data["f"]["classes"]), data["f"]["options"]) == (10, {"crowd": False, "cache": RAM})
    assert data["g"]["train"] == {"images": "images/track/train", "annotations": "labels/box_track_20/train"}
    assert (data["g"]["options"]["steps"], len(data["g"]["classes"])) == (16, 11)
    assert data["h"]["options"] == {"cache": {"name": "disk", "folder": None, "size": 2 * 2**30}}
    assert (data["i"]["train"], data["i"]["options"]) == ({"videos": "road.mp4"}, {"every": 5, "cache": None})


def test_splits_can_be_set_from_outside(tmp_path: Path) -> None:
    text = 'data a = data.voc(root = "r", classes = ["x"])\n'
    sets = {
        "data.a.train": "trainval",
        "data.a.val": '["2007/a", "b"]',
        "data.a.test": 'split(list = "c", images = "i")',
    }
    options = program_of(tmp_path, text, sets).data["a"].options
    assert options["train"]["split"] == "trainval"
    assert options["val"]["split"] == ["2007/a", "b"]
    assert options["test"] == {"split": "c", "images": "i", "annotations": "Annotations"}


def test_a_file_of_classes_replaces_those_of_the_format(tmp_path: Path) -> None:
    options = program_of(tmp_path, 'data a = data.bdd100k(root = "r", classes_file = "c.txt")\n').data["a"].options
    assert (options["classes"], options["classes_file"]) == (None, "c.txt")


def test_the_number_of_classes_is_known_without_the_files(tmp_path: Path) -> None:
    text = 'data cells = data.voc(root = path("nowhere"), classes = ["red", "white"])\n' + MODEL.replace(
        "classes: int = 2", "classes: int = len(cells.classes)"
    )
    program = program_of(tmp_path, text)
    assert not errors(program)
    assert program.models["tiny"].heads[0].options["classes"] == 2


def test_classes_of_a_file_are_not_known(tmp_path: Path) -> None:
    text = 'data cells = data.voc(root = path("nowhere"), classes_file = "c.txt")\nparam n: int = len(cells.classes)\n'
    assert codes(program_of(tmp_path, text)) == ["DAT115"]


@pytest.mark.parametrize(
    ("text", "code", "place", "fix"),
    [
        ('data d = data.vco(root = "x")', "DAT110", "vco", "did you mean `voc`?"),
        ('data d = data.voc(rot = "x", classes = ["a"])', "DAT101", "rot", "did you mean `root`?"),
        ('data d = data.voc(root = "x", classes = ["a"], train = 3)', "DAT102", "3", ""),
        ('data d = data.voc(classes = ["a"])', "DAT105", "data d", 'add `root = path("data/mine")`'),
        ('data d = data.voc(root = "x", classes = ["a", "a"])', "DAT114", '["a", "a"]', ""),
        ('data d = data.voc(root = "x", classes = [])', "DAT102", "[]", ""),
        ('data d = data.voc(root = "x")', "DAT112", "data d", "add `classes = "),
        ('data d = data.voc(root = "x", classes = ["a"], classes_file = "f")', "DAT113", '"f"', ""),
        ('data d = data.voc(root = "x", classes = ["a"], val = "../../etc")', "DAT116", '"../../etc"', ""),
        ('data d = data.coco(root = "x", annotations = "/etc/passwd")', "DAT116", '"/etc/passwd"', ""),
        ('data d = data.yolo(root = "x")', "DAT112", "data d", '`names = "classes.txt"`'),
        ('data d = data.yolo(root = "x", names = "/etc/passwd")', "DAT116", '"/etc/passwd"', ""),
        ('data d = data.yolo(root = "x", names = "n", train = ["a", "../b"])', "DAT116", '["a", "../b"]', ""),
        ('data d = data.coco(root = "x", train = split(images = "/a"))', "DAT116", "split(", ""),
        ('data d = data.coco(root = "x", train = split(image = "a"))', "DAT101", "image", "did you mean `images`?"),
        ('data d = data.coco(root = "x", train = ["a"])', "DAT102", '["a"]', ""),
        (
            'data d = data.voc(root = "x", classes = ["a"], val = "v", validation_split = 0.1)',
            "DAT117",
            '"v"',
            "drop one",
        ),
        ('data d = data.voc(root = "x", classes = ["a"], validation_split = 1)', "DAT102", "1", ""),
        ('data d = data.folders(root = "x", cache = disk(size = 3))', "DAT103", "3", "3 GiB"),
        ('data d = data.folders(root = "x", cache = dsik)', "DAT107", "dsik", "did you mean `disk`?"),
        ('data d = data.bdd100k_track(root = "x", track = "../t")', "DAT116", '"../t"', ""),
        ("data d = data.synthetic(train = 20)", "DAT103", "20", "write `20 images`"),
        ('data d = data.synthetic(classes = ["dics"])', "DAT107", '"dics"', "did you mean `disc`?"),
        ('data d { root = "x" }', "DAT111", "data", ""),
        ('data d { format = voc  root = "x"  classes = ["a"]  root = "y" }', "DAT106", "root", ""),
    ],
)
def test_each_mistake_is_one_finding_at_its_place(tmp_path: Path, text: str, code: str, place: str, fix: str) -> None:
    program = program_of(tmp_path, text + "\n")
    assert codes(program) == [code]
    assert under(program, errors(program)[0]).startswith(place)
    assert fix in errors(program)[0].help


def test_a_broken_block_is_not_reported_again_where_it_is_used(tmp_path: Path) -> None:
    text = (
        MODEL + 'data d = data.voc(root = 3, classes = ["a"])\ntrain t on tiny { data = d  stage s { epochs = 1 } }\n'
    )
    assert codes(program_of(tmp_path, text)) == ["DAT102"]


def test_class_names_may_hold_anything(tmp_path: Path) -> None:
    text = 'data d = data.voc(root = "x", classes = ["a\\"b", "new\\nline", "__import__(\'os\')", "größe"])\n'
    assert program_of(tmp_path, text).data["d"].options["classes"] == ['a"b', "new\nline", "__import__('os')", "größe"]


def test_a_bound_is_written_as_a_user_would(tmp_path: Path) -> None:
    (finding,) = errors(program_of(tmp_path, "data d = data.synthetic(train = 0 images)"))
    assert "images in 1 .. 1000000, not 0 images" in finding.message

"""Data blocks: read without touching the disk, every mistake a finding."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_texts import MODEL, codes, errors, program_of, under


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
        "train": {"split": "train"}, "val": {"split": "val"}, "test": {"split": "test"}, "options": {"difficult": True},
    }  # fmt: skip
    assert data["b"].options["train"] == {"images": "t", "annotations": "annotations/instances_t.json"}
    assert data["b"].options["val"] is None
    assert data["c"].options["train"] == {"images": 20, "seed": 7}
    assert data["c"].options["options"] == {"size": [64, 48], "objects": [1, 3]}
    assert (data["d"].format, data["d"].options["train"]) == ("images", {"folder": "shots"})


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

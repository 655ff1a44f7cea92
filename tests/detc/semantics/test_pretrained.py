"""Weights from a file in a spec: the keys, what they give in the lock, and what contradicts."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_texts import codes, program_of, trained


def test_the_keys_stand_in_the_lock(tmp_path: Path) -> None:
    text = trained("""
  stage one {
    pretrained = path("weights/net.pt")  pretrained_dataset = "imagenet"  pretrained_input_shape = [3, 28, 28]
    load = p4  epochs = 2
  }
  stage two { start = one.best  epochs = 1 }
""")
    program = program_of(tmp_path, text)
    assert not codes(program)
    one, two = program.stages
    assert one.options["pretrained"] == {"path": "weights/net.pt", "dataset": "imagenet", "input_shape": [3, 28, 28]}
    assert (one.options["load"], one.options["start"], two.options["pretrained"]) == (["p4"], None, None)


def test_a_file_can_be_set(tmp_path: Path) -> None:
    sets = {"train.steps.one.pretrained": "mine.safetensors"}
    program = program_of(tmp_path, trained("stage one { epochs = 2 }"), sets)
    assert program.stages[0].options["pretrained"] == {"path": "mine.safetensors", "dataset": None, "input_shape": None}


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ('pretrained = path("net.h5")', "TRN170"),
        ('pretrained = "net"', "TRN170"),
        ('pretrained = path("net.pt")  pretrained_input_shape = [1, 28, 28]', "TRN171"),
        ('pretrained = path("net.pt")  pretrained_input_shape = [3, 28]', "TRN102"),
        ('pretrained = path("net.pt")  start = zero.best', "TRN128"),
        ('pretrained_dataset = "imagenet"', "TRN129"),
        ("pretrained = 3", "TRN102"),
        ("load = p4", "TRN105"),
    ],
)
def test_what_cannot_be_is_found(tmp_path: Path, keys: str, code: str) -> None:
    text = trained(f"stage zero {{ epochs = 1 }}\n  stage one {{ {keys}  epochs = 2 }}")
    assert codes(program_of(tmp_path, text)) == [code]


def test_another_size_is_a_note(tmp_path: Path) -> None:
    keys = 'pretrained = path("net.pt")  pretrained_input_shape = [3, 224, 224]'
    program = program_of(tmp_path, trained(f"stage one {{ {keys}  epochs = 2 }}"))
    assert [(f.code, f.level) for f in program.findings] == [("TRN172", "note")]
    assert "224x224" in program.findings[0].message and "28x28" in program.findings[0].message

"""Stages of int8: what they resolve to and refuse, and what a target makes of the stages of a spec."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from spec_texts import DATA, codes, errors, program_of, trained, under

from detc.semantics.program import Program
from detc.targets import det_file

BOARD = "stm32h747i_disco"
PTQ = """
  stage float { epochs = 3 }
  stage ptq   { start = float.best  calibrate ranges = percentile(choose = [99.9, 100])  images = 20  equalize = true }
  stage qat   { start = ptq.best    quantize int8 = ptq.ranges  epochs = 2 }
"""
GTI = """
  stage float   { epochs = 3 }
  stage weights { start = float.best    quantize weights = masks  epochs = 1 }
  stage measure { start = weights.best  calibrate caps = percentile(99)  images = 5 }
  stage more    { start = weights.best  epochs = 1 }
"""


def notes(program: Program) -> list[str]:
    return [finding.code for finding in program.findings if finding.level == "note"]


def test_ranges_are_measured_and_trained_with(tmp_path: Path) -> None:
    program = program_of(tmp_path, trained(PTQ), target=BOARD)
    assert not codes(program) and "TRN181" not in notes(program)
    ptq, qat = (stage.options for stage in program.stages[1:])
    assert (ptq["kind"], ptq["images"]) == ("calibrate", 20)
    assert ptq["calibrate"] == {
        "ranges": {"name": "percentile", "q": 99.99, "choose": [99.9, 100], "equalize": True, "correct_bias": False}
    }
    assert ptq["quantize"] == {"weights": None, "activations": None, "folded": None, "int8": None, "events": None}
    assert qat["quantize"]["int8"] == {"stage": "steps.ptq"}


@pytest.mark.parametrize(
    ("stages", "code", "place"),
    [
        ("stage q { start = float.best  quantize int8 = float.ranges  epochs = 1 }", "TRN119", "float.ranges"),
        ("stage q { start = float.best  quantize int8 = gone.ranges  epochs = 1 }", "TRN112", "gone.ranges"),
        ("stage q { start = float.best  calibrate ranges = minmax }", "TRN118", "minmax"),
        ("stage q { calibrate ranges = mse  images = 5 }", "TRN118", "mse"),
        (
            "stage q { start = float.best  calibrate ranges = mse  calibrate caps = percentile(99)  images = 5 }",
            "TRN118",
            "percentile(99)",
        ),
        ("stage q { start = float.best  calibrate ranges = percentile(40)  images = 5 }", "TRN102", "40"),
        ("stage q { start = float.best  calibrate ranges = huffman  images = 5 }", "TRN107", "huffman"),
        (
            "stage p { start = float.best  calibrate ranges = mse  images = 5  equalize = true }\n"
            "stage q { start = float.best  quantize int8 = p.ranges  epochs = 1 }",
            "TRN120",
            "float.best",
        ),
        (
            "stage p { start = float.best  calibrate ranges = mse  images = 5 }\n"
            "stage q { start = float.best  quantize int8 = p.ranges  quantize weights = masks  epochs = 1 }",
            "TRN120",
            "p.ranges",
        ),
        (
            "stage p { start = float.best  calibrate ranges = mse  images = 5 }\n"
            "stage q { start = float.best  quantize int8 = p.ranges  epochs = 1 }\n"
            "stage r { start = q.best  calibrate ranges = mse  images = 5 }",
            "TRN120",
            "q.best",
        ),
        (
            "stage p { start = float.best  calibrate ranges = mse  images = 5 }\n"
            "stage q { start = float.best  quantize int8 = p.ranges  epochs = 1  multiscale = sizes(28 .. 56) }",
            "TRN128",
            "sizes(28 .. 56)",
        ),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, stages: str, code: str, place: str) -> None:
    program = program_of(tmp_path, trained(f"stage float {{ epochs = 3 }}\n{stages}"))
    found = [finding for finding in program.findings if finding.code == code]
    assert found and under(program, found[0]) == place, program.findings


def test_options_of_a_calibration_say_when_they_change_nothing(tmp_path: Path) -> None:
    assert codes(program_of(tmp_path, trained("stage float { epochs = 3  equalize = true }"))) == ["TRN129"]


def test_a_share_of_the_data_stands_for_a_number_of_images(tmp_path: Path) -> None:
    text = trained("stage float { epochs = 3 }\nstage p { start = float.best  calibrate ranges = entropy }")
    shared = text.replace(DATA, DATA.replace(")\n", ", quantization_split = 10 %)\n"))
    assert codes(program_of(tmp_path, text)) == ["TRN118"]
    program = program_of(tmp_path, shared)
    assert not codes(program)
    assert program.data["cells"].options["options"]["quantization_split"] == 0.1
    assert program.stages[1].options["images"] is None
    assert errors(program_of(tmp_path, shared.replace("10 %", "100 %")))
    assert errors(program_of(tmp_path, shared.replace("10 %", "0 %")))


def test_a_spec_that_never_quantises_gets_a_calibration(tmp_path: Path) -> None:
    text = trained("amp = bf16\nstage float { epochs = 3 }\nstage fine { start = float.last  epochs = 1 }")
    assert len(program_of(tmp_path, text).stages) == 2
    program = program_of(tmp_path, text, target=BOARD)
    assert not codes(program) and "TRN181" in notes(program)
    added = program.stages[-1]
    assert (added.name, added.options["id"], added.kind) == ("int8", "steps.int8", "calibrate")
    assert added.options["start"] == {"stage": "steps.fine", "which": "best"}
    assert (added.options["images"], added.options["amp"]) == (200, None)
    assert added.options["calibrate"]["ranges"]["choose"] == [99.9, 99.99, 100.0]
    assert json.dumps(added.options)


def test_the_added_calibration_takes_a_free_name(tmp_path: Path) -> None:
    program = program_of(tmp_path, trained("stage int8 { epochs = 3 }"), target=BOARD)
    assert [stage.name for stage in program.stages] == ["int8", "int8_2"]


def test_stages_for_another_device_are_left_out_with_what_starts_from_them(tmp_path: Path) -> None:
    program = program_of(tmp_path, trained(GTI), target=BOARD)
    assert codes(program) == ["TRN180"]
    assert [stage.name for stage in program.stages] == ["float", "int8"]
    told = next(finding for finding in program.findings if finding.code == "TRN180")
    assert under(program, told) == "masks" and "`weights`, `measure`, `more` are" in told.message
    assert told.related and told.related[0].span.file.endswith("stm32/target.det")
    own = program_of(tmp_path, trained(GTI), target="gti5801")
    assert [stage.name for stage in own.stages] == ["float", "weights", "measure", "more"]


def test_int8_is_no_word_of_the_5801(tmp_path: Path) -> None:
    program = program_of(tmp_path, trained(PTQ), target="gti5801")
    assert "TRN180" in codes(program)
    assert [stage.name for stage in program.stages] == ["float"]


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        ('["int8"]', '["weights", "activations", "int8"]', ["float", "weights", "more"]),
        ("implied = int8", "", ["float"]),
        ("implied = int8", "implied = 7", ["float"]),
        ('["ranges"]', "3", ["float", "int8"]),
    ],
)
def test_the_target_says_what_stages_it_knows(tmp_path: Path, old: str, new: str, left: list[str]) -> None:
    """A copy of the family's file under another name, with one fact edited."""
    facts = det_file("stm32").read_text().replace("target stm32 extends", "target mine_mcu extends")
    assert old in facts
    (tmp_path / "mine_mcu.det").write_text(facts.replace(old, new))
    program = program_of(tmp_path, trained(GTI), target="mine_mcu")
    assert [stage.name for stage in program.stages] == left

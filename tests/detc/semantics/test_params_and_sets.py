"""Parameters, and what `--set` may reach."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_texts import DATA, MODEL, codes, errors, program_of, trained, under

STAGED = trained("batch = 4\n stage a { epochs = 3 } stage b { start = a.best epochs = 3 lr = 1e-4 }")


def test_a_parameter_takes_its_default_or_what_is_set(tmp_path: Path) -> None:
    text = """
param n: int = 3        param f: float = 1    param b: bool = true
param s: str = "x"      param w = balanced    param k: bits = 3 bits
"""
    program = program_of(tmp_path, text, {"f": "2.5", "s": "10.0", "w": "fast"})
    assert {name: setting.value for name, setting in program.params.items()} == {
        "n": 3, "f": 2.5, "b": True, "s": "10.0", "w": "fast", "k": 3,
    }  # fmt: skip
    assert {name: setting.origin for name, setting in program.params.items() if setting.origin != "spec"} == {
        "f": "--set", "s": "--set", "w": "--set",
    }  # fmt: skip
    assert [(o.name, o.value) for o in program.overrides] == [("f", 2.5), ("s", 10.0), ("w", "fast")]


@pytest.mark.parametrize(
    ("declared", "value", "code"),
    [
        ("n: int = 3", "2.5", "PAR121"),
        ("n: int = 3", "true", "PAR121"),
        ("n: bool = true", "1", "PAR121"),
        ("n: bits = 3 bits", "3", "PAR121"),
        ("n: int = 3 where n in 1 .. 5", "6", "PAR122"),
        ("n: int = 3", "4 4", "PAR112"),
        ("n: int = 3", "", "PAR112"),
        ("n: int = 3", "__import__('os')", "PAR112"),
        ("n: itn = 3", "4", "PAR120"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(tmp_path: Path, declared: str, value: str, code: str) -> None:
    assert codes(program_of(tmp_path, f"param {declared}\n", {"n": value})) == [code]


def test_a_condition_holds_for_the_default_too(tmp_path: Path) -> None:
    program = program_of(tmp_path, "param n: int = 9 where n <= 5\n")
    finding = errors(program)[0]
    assert (finding.code, finding.actual, finding.allowed) == ("PAR122", "9", "n <= 5")
    assert [related.label for related in finding.related] == ["the condition"]


def test_dotted_paths_reach_sections(tmp_path: Path) -> None:
    sets = {
        "train.steps.batch": "8",
        "train.steps.b.lr": "1e-6",
        "train.steps.b.optimizer.momentum": "0.5",
        "train.steps.a.loss.noobj": "0.5",
        "train.steps.a.schedule": "cosine(warmup = 2 epochs)",
        "data.cells.root": "/mnt/my data",
    }
    program = program_of(tmp_path, STAGED, sets)
    assert not errors(program)
    a, b = (stage.options for stage in program.stages)
    assert (a["batch"], b["batch"]) == (8, 8)
    assert (b["optimizer"]["lr"], b["optimizer"]["momentum"], a["optimizer"]["momentum"]) == (1e-6, 0.5, 0.9)
    assert (a["loss"]["noobj"], b["loss"]["noobj"]) == (0.5, 0.005)
    assert (a["schedule"]["name"], a["schedule"]["warmup"]) == ("cosine", 2)
    assert program.data["cells"].options["root"] == "/mnt/my data"
    assert {setting.name for setting in program.overrides} == set(sets)


@pytest.mark.parametrize(
    ("name", "value", "code", "fix"),
    [
        ("train.steps.c.lr", "1", "PAR110", "did you mean `train.steps.a.lr`?"),
        ("train.steps.a.epoch", "1", "PAR110", "did you mean `train.steps.a.epochs`?"),
        ("clases", "1", "PAR110", "did you mean `classes`?"),
        ("model.p4", "1", "PAR111", "it has classes"),
        ("tiny.p4", "1", "PAR111", "it has classes"),
        ("target.tool", "1", "PAR110", ""),
        ("train.steps.a.lr", '"fast"', "TRN102", ""),
        ("train.steps.a.early_stop", "3", "TRN103", "write `3 epochs`"),
        ("data.cells.classes", '["x", "x"]', "DAT114", ""),
        ("a b", "1", "PAR110", ""),
        ("", "1", "PAR110", ""),
    ],
)
def test_what_set_cannot_do_is_said(tmp_path: Path, name: str, value: str, code: str, fix: str) -> None:
    program = program_of(tmp_path, STAGED, {name: value})
    assert codes(program) == [code]
    assert fix in errors(program)[0].help
    assert under(program, errors(program)[0])


def test_a_parameter_may_hold_an_op(tmp_path: Path) -> None:
    text = f"param act = relu\n{MODEL}{DATA}".replace("|> relu(cap = 31) |> maxpool", "|> act |> maxpool")
    graphs = [program_of(tmp_path, text, sets).models["tiny"].graph for sets in ({}, {"act": "silu"})]
    assert [node.op.name for node in graphs[0]][2] == "relu"
    assert [node.op.name for node in graphs[1]][2] == "silu"


def test_the_last_word_of_a_path_names_the_path(tmp_path: Path) -> None:
    from detc.compilation import compile_spec
    from detc.library import library_folder

    found = compile_spec(library_folder() / "st_yolo_lc_v1.det", "stm32h747i_disco", {"tool": "10.0"}).findings
    (unknown,) = [finding for finding in found if finding.code == "PAR110"]
    assert unknown.help == "did you mean `target.tool`?"

"""`target` files: inheritance, sources, parameters, and which deploy block is judged."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_texts import DATA, MODEL, codes, errors, program_of, under

from detc.semantics.program import Fact, Target
from detc.semantics.values import Range

BOARD = """
@source("RM0433 rev 8, table 7")
target chip extends microcontroller {
  param tool: str = "3.0"
  clock = 480 MHz
  memory dtcm { at = 0x20000000  size = 128 KiB }
  memory axi  { at = 0x24000000  size = 512 KiB
    @placeholder reserved = 1 KiB }
  op conv { k in [1x1, 3x3]  stride <= 2 }
  type weight { bits = [1 bits, 8 bits]  shift in 0 .. 12 }
  limit majors <= 7 else "no more than {limit}"
  limit tools >= 1
}
@source("board.json")
target board extends chip {
  clock = 400 MHz
  memory axi { reserved = 97 KiB }
  memory dtcm = none
  limit majors <= 5
  limit tools = none
}
"""


def judged(folder: Path, text: str, target: str = "board", **sets: str) -> Target:
    program = program_of(folder, MODEL + text, {name.replace("_", "."): value for name, value in sets.items()}, target)
    assert not errors(program), errors(program)
    assert program.target is not None
    return program.target


def fact(target: Target, kind: str, label: str, name: str) -> Fact:
    section = target.root.find(kind, label)
    assert section is not None
    return section.facts[name]


def test_a_child_changes_merges_and_removes(tmp_path: Path) -> None:
    board = judged(tmp_path, BOARD)
    assert board.lineage == ("board", "chip", "microcontroller")
    assert board.root.facts["clock"].value == 400_000_000
    assert fact(board, "memory", "axi", "size").value == 512 * 1024
    assert fact(board, "memory", "axi", "reserved").value == 97 * 1024
    assert board.root.find("memory", "dtcm") is None
    assert board.limit("tools") is None
    majors = board.limit("majors")
    assert majors is not None and (majors.op, majors.value, majors.message) == ("<=", 5, "no more than {limit}")


def test_facts_keep_their_form_and_their_unit(tmp_path: Path) -> None:
    chip = judged(tmp_path, BOARD, "chip")
    assert fact(chip, "op", "conv", "k") == Fact(
        "k", "in", ((1, 1), (3, 3)), fact(chip, "op", "conv", "k").span, "RM0433 rev 8, table 7"
    )
    assert fact(chip, "type", "weight", "bits").value == (1, 8)
    assert fact(chip, "type", "weight", "shift").value == Range(0, 12)
    assert (fact(chip, "memory", "axi", "at").value, fact(chip, "memory", "axi", "size").dimension) == (
        0x24000000,
        "bytes",
    )
    assert chip.root.facts["clock"].dimension == "hertz"


def test_the_nearest_source_wins_and_what_has_none_is_counted(tmp_path: Path) -> None:
    chip = judged(tmp_path, BOARD, "chip")
    assert fact(chip, "memory", "axi", "size").source == "RM0433 rev 8, table 7"
    assert [f.name for f in chip.placeholders()] == ["reserved"]
    board = judged(tmp_path, BOARD)
    assert fact(board, "memory", "axi", "reserved").source == "board.json"
    assert fact(board, "memory", "axi", "size").source == "RM0433 rev 8, table 7"
    assert board.placeholders() == []
    bare = judged(tmp_path, "target bare { size = 3 }\n", "bare")
    assert [f.name for f in bare.placeholders()] == ["size"]


def test_a_changed_number_is_at_its_own_line(tmp_path: Path) -> None:
    board = judged(tmp_path, BOARD)
    lines = (MODEL + BOARD).split("\n")
    majors = board.limit("majors")
    assert majors is not None and lines[majors.span.line - 1].strip() == "limit majors <= 5"


def test_parameters_of_a_target(tmp_path: Path) -> None:
    text = (
        "target t { param rows: int = 4 where rows <= 8\n let cells = rows * 2\n memory m { size = cells * 1 KiB } }\n"
    )
    assert fact(judged(tmp_path, text, "t"), "memory", "m", "size").value == 8192
    assert fact(judged(tmp_path, text, "t", target_rows="5"), "memory", "m", "size").value == 10240
    program = program_of(tmp_path, MODEL + text, {"target.rows": "9"}, "t")
    assert codes(program) == ["PAR122"]
    assert codes(program_of(tmp_path, MODEL + text, {"target.row": "5"}, "t")) == ["PAR110"]


def test_a_string_parameter_may_be_set_without_quotes(tmp_path: Path) -> None:
    assert judged(tmp_path, BOARD, target_tool="10.0").params["tool"].value == "10.0"


@pytest.mark.parametrize(
    ("text", "code", "place", "fix"),
    [
        ("target t extends chp { }", "TGT120", "chp", "did you mean `chip`?"),
        ('target t { @sorce("x") a = 3 }', "TGT110", "sorce", "did you mean `source`?"),
        ("target t { @source a = 3 }", "TGT111", "@source", ""),
        ("target t { a = 3  a = 4 }", "TGT115", "a = 4", ""),
        ("target t { memory m = none }", "TGT112", "memory m", ""),
        ("target t extends chip { memory axl { size = 3 } }", "TGT113", "axl", "did you mean `memory axi`?"),
        ("target t extends chip { limit majrs <= 3 }", "TGT113", "limit majrs", "did you mean `majors`?"),
        ("target t { a = relu(cap = ) }", "SYN", "", ""),
        ("target t extends t { }", "TGT121", "t", ""),
        ("target t { lmit majors <= 3 }", "TGT116", "lmit majors", "did you mean `limit`?"),
    ],
)
def test_each_mistake_is_one_finding_at_its_place(tmp_path: Path, text: str, code: str, place: str, fix: str) -> None:
    program = program_of(tmp_path, MODEL + BOARD + text + "\n")
    assert len(codes(program)) == 1 and codes(program)[0].startswith(code)
    finding = next(f for f in program.findings if f.level != "note")
    assert under(program, finding).startswith(place)
    assert fix in finding.help


def test_a_circle_of_targets_is_one_finding(tmp_path: Path) -> None:
    program = program_of(tmp_path, "target a extends b { }\ntarget b extends a { }\n")
    assert codes(program) == ["TGT121"]
    assert "a -> b -> a" in errors(program)[0].message


def test_targets_beside_the_spec_are_found(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "mychip.det").write_text("target mychip extends gti5801 { limit majors <= 2 }\n")
    program = program_of(tmp_path, MODEL, target="mychip")
    assert not errors(program)
    assert program.target is not None and program.target.lineage == ("mychip", "gti5801")
    majors = program.target.limit("majors")
    assert majors is not None and majors.value == 2 and majors.span.file.endswith("mychip.det")


def test_a_board_with_a_typo_behind_its_family(tmp_path: Path) -> None:
    finding = errors(program_of(tmp_path, MODEL + "deploy d on loihi2.kapoho_poin { model = tiny }"))[0]
    assert (finding.code, finding.help) == ("TGT120", "did you mean `loihi2.kapoho_point`?")


def test_an_unknown_target_lists_what_there_is(tmp_path: Path) -> None:
    finding = errors(program_of(tmp_path, MODEL + BOARD, target="gti580"))[0]
    assert (finding.code, finding.help) == ("TGT120", "did you mean `gti5801`?")
    finding = errors(program_of(tmp_path, MODEL + BOARD, target="stm32h747"))[0]
    assert finding.help == "did you mean `stm32h747i_disco` or `stm32h747xi`?"
    finding = errors(program_of(tmp_path, MODEL + BOARD, target="zzzzzzz"))[0]
    assert finding.help == "known here: board, chip; `detc targets` lists those that come with detc"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", ".", "", "x" * 300, "gti5801.nothing"])
def test_a_target_name_never_leaves_the_folders(tmp_path: Path, name: str) -> None:
    program = program_of(tmp_path, MODEL, target=name or None)
    assert codes(program) == (["TGT120"] if name else [])


DEPLOYS = f"""{MODEL}{BOARD}{DATA}
deploy one on chip  {{ model = tiny }}
deploy two on board {{ model = tiny  require params <= 3 }}
"""


@pytest.mark.parametrize(
    ("target", "judged_target", "deploys"),
    [
        (None, "chip", ["one"]),
        ("chip", "chip", ["one"]),
        ("board", "board", ["two"]),
        ("gti5801", "gti5801", ["on_gti5801"]),
    ],
)
def test_target_chooses_the_deploy_blocks(
    tmp_path: Path, target: str | None, judged_target: str, deploys: list[str]
) -> None:
    program = program_of(tmp_path, DEPLOYS, target=target)
    assert not errors(program)
    assert program.target is not None and program.target.name == judged_target
    assert [deploy.name for deploy in program.deploys] == deploys
    assert {deploy.model for deploy in program.deploys} == {"tiny"}


def test_a_parent_chooses_deploys_on_its_descendants(tmp_path: Path) -> None:
    text = f"{MODEL}{BOARD}deploy two on board {{ model = tiny }}\n"
    program = program_of(tmp_path, text, target="chip")
    assert program.target is not None and program.target.name == "board"
    assert [deploy.name for deploy in program.deploys] == ["two"]


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("deploy d on chp { }", "TGT120", "chp"),
        ("deploy d { }", "DEP110", "deploy d"),
        ("deploy d on chip { model = tny }", "DEP111", "tny"),
        ("deploy d on chip { modl = tiny }", "DEP101", "modl"),
        ("deploy d on chip { }\ndeploy d on chip { }", "DEP113", "deploy d"),
    ],
)
def test_mistakes_of_deploy_blocks(tmp_path: Path, text: str, code: str, place: str) -> None:
    program = program_of(tmp_path, MODEL + BOARD + text + "\n")
    assert codes(program) == [code]
    assert under(program, errors(program)[0]).startswith(place)


def test_a_package_may_bring_a_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by its entry point, read as text: the package's backend is not imported for it."""
    package, info = tmp_path / "site" / "otherchip", tmp_path / "site" / "otherchip-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text("")
    (package / "backend.py").write_text("raise SystemExit('imported')\n")
    (package / "target.det").write_text("target otherchip extends accelerator { limit majors <= 3 }\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: otherchip\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[detc.targets]\notherchip = otherchip.backend\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    program = program_of(tmp_path, MODEL, target="otherchip")
    assert not errors(program)
    assert program.target is not None and program.target.lineage == ("otherchip", "accelerator")
    majors = program.target.limit("majors")
    assert majors is not None and majors.span.file == "otherchip/target.det"


def test_a_known_target_asks_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    def refuse(**_: object) -> None:
        raise AssertionError("entry points were read")

    monkeypatch.setattr(importlib.metadata, "entry_points", refuse)
    assert not errors(program_of(tmp_path, MODEL + BOARD, target="board"))
    assert not errors(program_of(tmp_path, MODEL, target="gti5801"))

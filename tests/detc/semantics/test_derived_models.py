"""`model small = prune(big, ..)` in a spec."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_texts import DATA, MODEL, codes, errors, program_of, under

from detc.compilation import compile_spec


def widths(folder: Path, line: str) -> dict[str, int]:
    graph = program_of(folder, f"{MODEL}{line}\n").models["small"].graph
    return {node.name: node.type.channels for node in graph if node.op.name == "conv"}


def test_a_pruned_model_is_a_model(tmp_path: Path) -> None:
    text = f"{MODEL}{DATA}model small = prune(tiny, channels = 1 / 2)\n" + (
        "train t on small { data = cells  stage s { epochs = 3 } }\ndeploy d on gti5801 { model = small }\n"
    )
    program = program_of(tmp_path, text)
    assert not errors(program)
    small, tiny = program.models["small"], program.models["tiny"]
    assert small.graph.params() < tiny.graph.params()
    assert small.heads == tiny.heads and small.derived_from == "tiny"
    assert program.stages[0].model == "small"


def test_what_is_kept_keeps_its_width(tmp_path: Path) -> None:
    assert widths(tmp_path, "model small = prune(tiny, channels = 1 / 2)") == {"p4.conv1": 4, "grid.conv1": 12}
    assert widths(tmp_path, "model small = prune(tiny, channels = 0.25, keep = [p4])") == {
        "p4.conv1": 8,
        "grid.conv1": 12,
    }
    assert widths(tmp_path, "model small = prune(tiny, 1, keep = grid)") == {"p4.conv1": 8, "grid.conv1": 12}


@pytest.mark.parametrize(
    ("line", "code", "place", "fix"),
    [
        ("model small = prun(tiny, channels = 1 / 2)", "DER110", "prun", "did you mean `prune`?"),
        ("model small = prune(tny, channels = 1 / 2)", "DER111", "tny", "did you mean `tiny`?"),
        ("model small = prune(tiny)", "DER105", "prune(tiny)", "channels = 1 / 2"),
        ("model small = prune(tiny, channels = 2)", "DER102", "2", ""),
        ("model small = prune(tiny, chanels = 1 / 2)", "DER101", "chanels", "did you mean `channels`?"),
        ("model small = prune(tiny, channels = 1 / 2, keep = [p5])", "DER112", "p5", "did you mean `p4`?"),
    ],
)
def test_each_mistake_is_one_finding_at_its_place(tmp_path: Path, line: str, code: str, place: str, fix: str) -> None:
    program = program_of(tmp_path, f"{MODEL}{line}\n")
    assert codes(program) == [code]
    assert under(program, errors(program)[0]).startswith(place)
    assert fix in errors(program)[0].help


def test_what_cannot_be_pruned_keeps_its_width_and_is_named(tmp_path: Path) -> None:
    text = MODEL.replace("|> maxpool(2x2)", "|> maxpool(2x2) |> conv(12) |> softmax |> conv(8) |> conv(6)")
    program = program_of(tmp_path, text + "model small = prune(tiny, channels = 1 / 2)\n")
    assert codes(program) == ["DER114"]
    finding = program.findings[0]
    assert "`p4.softmax1`" in finding.message and finding.related and finding.level == "warning"
    widths = [node.type.channels for node in program.models["small"].graph if node.op.name == "conv"]
    assert widths == [4, 12, 4, 3, 12]


def test_widths_are_multiples_where_that_is_asked(tmp_path: Path) -> None:
    text = MODEL.replace("conv(8)", "conv(60) |> conv(6)")
    program = program_of(tmp_path, text + "model small = prune(tiny, channels = 1 / 2, multiple = 8)\n")
    widths = [node.type.channels for node in program.models["small"].graph if node.op.name == "conv"]
    assert widths == [32, 6, 12] and not codes(program)


def test_a_model_of_which_all_is_kept_is_told(tmp_path: Path) -> None:
    program = program_of(tmp_path, MODEL + "model small = prune(tiny, channels = 1 / 2, keep = [p4])\n")
    assert codes(program) == ["DER115"]


def test_the_target_judges_the_pruned_net(tmp_path: Path) -> None:
    path = tmp_path / "mine.det"
    text = MODEL.replace("conv(8)", "conv(64, weights = masked(3 bits))").replace("conv(10", "conv(10")
    path.write_text(text + "model small = prune(tiny, channels = 1 / 2)\ndeploy d on gti5801 { model = small }\n")
    done = compile_spec(path)
    assert done.model is not None and done.model.name == "small" and done.target == "gti5801"
    assert done.metrics["params"] == done.program.models["small"].graph.params() < 10_000
    path.write_text(text + "model small = prune(tiny, channels = 1 / 2)\n")
    alone = compile_spec(path, "gti5801")
    assert alone.model is not None and alone.model.name == "small"
    assert alone.metrics["macs"] == done.metrics["macs"]

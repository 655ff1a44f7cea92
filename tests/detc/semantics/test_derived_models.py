"""`model small = prune(big, ..)` in a spec."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_texts import DATA, MODEL, codes, errors, program_of, under


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


def test_what_cannot_be_pruned_names_the_layer(tmp_path: Path) -> None:
    text = MODEL.replace(
        "|> maxpool(2x2)", "|> maxpool(2x2) |> conv(8, groups = 8) |> conv(12) |> conv(12, groups = 4)"
    )
    program = program_of(tmp_path, text + "model small = prune(tiny, channels = 1 / 2)\n")
    assert codes(program) == ["DER113"]
    assert "`p4.conv4`" in errors(program)[0].message and errors(program)[0].related

"""`chain(f, g, ..)`: layers one after another, numbered from 0; and `ops`, which has every op by its own name."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_texts import codes, errors, program_of, under

SPEC = "model net extends detector {{\n  input frame: u8[3, 8, 8]\n  output y = frame |> {0}\n}}\n"


def test_rounds_are_numbered_and_have_weights_of_their_own(tmp_path: Path) -> None:
    program = program_of(tmp_path, SPEC.format("chain(conv(4), conv(4) |> relu, conv(5))"))
    graph = program.models["net"].graph
    assert [node.name for node in graph] == ["frame", "y.0", "y.1.conv1", "y.1.relu1", "y.2"]
    assert all(node.owns_weights for node in graph)


def test_a_chain_waits_for_its_tensor(tmp_path: Path) -> None:
    text = "let f = chain(conv(4), relu)\n" + SPEC.format("f |> ops.conv(3)")
    assert [node.name for node in program_of(tmp_path, text).models["net"].graph][1:] == [
        "y.conv1.0",
        "y.conv1.1",
        "y.conv2",
    ]


@pytest.mark.parametrize(
    ("layers", "place", "why"),
    [
        ("chain(conv(4))", "chain(conv(4))", "two layers or more"),
        ("chain(conv(4), 3)", "3", "takes a layer"),
    ],
)
def test_mistakes(tmp_path: Path, layers: str, place: str, why: str) -> None:
    program = program_of(tmp_path, SPEC.format(layers))
    assert len(codes(program)) == 1
    assert under(program, errors(program)[0]).startswith(place) and why in errors(program)[0].message

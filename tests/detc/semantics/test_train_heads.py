"""Options of a head, and the channels of its tensor."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_texts import MODEL, codes, errors, program_of, under

HEAD = "head gnetdet on grid { boxes = 2  classes = classes }"


def test_options_are_filled_in_and_the_grid_is_inferred(tmp_path: Path) -> None:
    head = program_of(
        tmp_path, MODEL.replace(HEAD, "head gnetdet on grid { classes = classes  conf = 48 %  nms = 0.4 }")
    )
    assert head.models["tiny"].heads[0].options == {
        "boxes": 2, "classes": 2, "names": None, "conf": 0.48, "score": 0.1, "nms": 0.4, "agnostic": True,
        "soft": "none", "max_detections": 100, "grid": [14, 14], "image": [28, 28],
    }  # fmt: skip


def test_wrong_channels_show_both_places(tmp_path: Path) -> None:
    program = program_of(tmp_path, MODEL.replace("conv(10 + classes)", "conv(13)"))
    assert codes(program) == ["HED112"]
    finding = errors(program)[0]
    assert finding.message == "`grid` has 13 channels; a gnetdet head with these options reads 2 * 5 + 2 = 12"
    assert (finding.actual, finding.allowed) == ("13", "12")
    assert [related.label for related in finding.related] == ["boxes = 2", "classes = 2", "gives 13 channels"]


@pytest.mark.parametrize(
    ("head", "code", "place", "fix"),
    [
        ("head gnetdt on grid { classes = 2 }", "HED110", "gnetdt", "did you mean `gnetdet`?"),
        ("head gnetdet on grid { clases = 2 }", "HED101", "clases", "did you mean `classes`?"),
        ("head gnetdet on grid { }", "HED105", "head gnetdet", "add `classes = classes`"),
        ("head gnetdet on grid { classes = 2  nms = 1.5 }", "HED102", "1.5", ""),
        ("head gnetdet on grid { classes = 2  names = [\"a\"] }", "HED114", '["a"]', ""),
        ("head gnetdet on grid, p4 { classes = 2 }", "SEM", "", ""),
    ],
)  # fmt: skip
def test_each_mistake_is_one_finding_at_its_place(tmp_path: Path, head: str, code: str, place: str, fix: str) -> None:
    program = program_of(tmp_path, MODEL.replace(HEAD, head))
    assert len(codes(program)) == 1 and codes(program)[0].startswith(code)
    assert under(program, errors(program)[0]).startswith(place)
    assert fix in errors(program)[0].help

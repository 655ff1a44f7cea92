"""What a user sees of a finding."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from detc.diagnostics import Finding, Related, Rule, Source, Span
from detc.diagnostics.render_text import render

MINE = Source(
    "specs/mine.det",
    "model a {\n" + "\n" * 18 + "  let stem = frame |> conv(64, k = 5x5) |> relu\n\tlet tab = \tconv(1)\n"
    '  let wide = "日本語" |> conv(64, k = 7x7)\n  let e\u0301 = \x1b[31m"\u202e"\n'
    + f"  let long = [{', '.join(['1234567890'] * 40)}, k]\n}}\n",
)
TARGET = Source("gti5801/target.det", "\n" * 17 + "  op conv { k in [3x3]  stride == 1\n")
SOURCES = {source.path: source for source in (MINE, TARGET)}

LIMIT = Related(Span(TARGET.path, 18, 13, 18, 23), "the limit (GNetDet MDK guide, section 4)")
KERNEL = Finding(
    "GTI101",
    "error",
    "`stem.conv1` has a 5x5 kernel; the 5801 multiplies only 3x3",
    Span(MINE.path, 20, 32, 20, 39),
    "5x5 here",
    (LIMIT,),
    "two stacked 3x3 see the same 5x5 window",
    "5x5",
    "3x3",
)


def at(line: int, column: int, end: int) -> Finding:
    return Finding("SYN999", "warning", f"line {line}", Span(MINE.path, line, column, line, end), "here")


def test_two_spans(golden: Callable[[str, str], None]) -> None:
    golden("diagnostics/two_spans.txt", render([KERNEL], SOURCES))


def test_tabs_wide_and_invisible_characters_and_long_lines(golden: Callable[[str, str], None]) -> None:
    findings = [at(21, 13, 20), at(22, 23, 38), at(23, 10, 15), at(24, 495, 496), at(24, 3, 6)]
    golden("diagnostics/difficult_lines.txt", render(findings, SOURCES, grouped=False))


def test_marks_stand_under_what_they_mark() -> None:
    for finding, marked in ((at(21, 13, 20), "conv(1)"), (at(22, 23, 26), "con")):
        _, _, line, marks, *_ = render([finding], SOURCES).split("\n")
        cells = 2 * sum(ord(c) > 0x2E80 for c in line[: line.index(marked)]) + sum(
            ord(c) <= 0x2E80 for c in line[: line.index(marked)]
        )
        assert marks.index("^") == cells
        assert marks.count("^") == len(marked)


def test_color_adds_only_color() -> None:
    plain, colored = render([KERNEL], SOURCES), render([KERNEL], SOURCES, color=True)
    assert "\x1b[" not in plain and "\x1b[1;31m" in colored
    assert re.sub("\x1b\\[[0-9;]*m", "", colored) == plain


def test_escapes_of_a_spec_never_reach_the_terminal() -> None:
    hostile = Finding("X1", "error", "bad \x1b[2J name\r\x07", Span("\x1b]0;x", 1, 1, 1, 2), "\x9b", help="a\u202eb")
    text = render([hostile, replace(hostile, span=Span(MINE.path, 23, 1, 23, 3))], SOURCES)
    assert all(character.isprintable() or character == "\n" for character in text)


def test_equal_findings_are_told_once(golden: Callable[[str, str], None]) -> None:
    def elsewhere(line: int) -> Finding:
        return replace(KERNEL, message=f"`c{line}` has a 5x5 kernel", span=Span(MINE.path, line, 1, line, 2))

    same_place = [
        replace(KERNEL, message=f"`b{n}.conv` has a 5x5 kernel; the 5801 multiplies only 3x3") for n in range(3)
    ]
    other = replace(KERNEL, actual="7x7", message="`d` has a 7x7 kernel", span=Span(MINE.path, 22, 23, 22, 38))
    text = render([KERNEL, *same_place, *(elsewhere(line) for line in range(1, 12)), other], SOURCES)
    assert text.count("error[GTI101]") == 2
    assert "and 14 more" in text
    golden("diagnostics/grouped.txt", text)
    assert render([KERNEL, KERNEL], SOURCES, grouped=False).count("error[") == 2


def test_findings_without_a_place_or_without_its_text() -> None:
    assert render([replace(KERNEL, span=None, related=())], {}) == (
        "error[GTI101]: `stem.conv1` has a 5x5 kernel; the 5801 multiplies only 3x3\n"
        "help: two stacked 3x3 see the same 5x5 window\n"
    )
    text = render([KERNEL], {})
    assert "  --> specs/mine.det:20:32 (5x5 here)\n" in text
    assert render([], {}) == ""


def test_a_place_past_the_text_is_named_only() -> None:
    text = render([replace(KERNEL, span=Span(MINE.path, 999, 1, 999, 5))], SOURCES)
    assert "specs/mine.det:999:1" in text


def test_two_things_said_of_one_place_are_both_told() -> None:
    place = Span(MINE.path, 20, 3, 20, 6)
    lacks = Finding("SYN999", "error", "no images", place, help="add `images = 500`")
    early = Finding("SYN999", "error", "no stage before", place, help="add `start = STAGE.best`")
    assert render([lacks, early, lacks], SOURCES).count("error[") == 2


def test_messages_and_remedies_are_wrapped_and_sources_are_not() -> None:
    words = " ".join(["word"] * 60)
    text = render([Rule("TST998", "error", words, help=words)(None)], {}, width=60)
    lines = text.splitlines()
    assert len(lines) > 8 and max(map(len, lines)) <= 60
    assert lines[0].startswith("error[TST998]: word") and lines[1].startswith("  word")
    assert " ".join(text.split()).count("word") == 120

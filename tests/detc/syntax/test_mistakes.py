"""What a user reads after a slip: each mistake once, where it is, with a remedy."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from detc.diagnostics import Finding, Source
from detc.diagnostics.render_text import render
from detc.syntax import tree
from detc.syntax.parser import MAX_CHARACTERS, parse


def findings(text: str) -> tuple[Finding, ...]:
    return parse(Source("a.det", text))[1]


def only(text: str) -> Finding:
    (finding,) = findings(text)
    return finding


SLIPS = [
    "param width = 1.0 where width > 0",
    "let c1 = frame |> conv(64 k = 3x3)",
    "x = [1 2, 3]",
    "x = [1, , 2]",
    "batch: 16",
    "x = conv(k: 3)",
    "x = {a = 3}",
    "lr = 3, batch = 4",
    "lr = 3; batch = 4",
    "let in = 3",
    "where = 3",
    "x = a.on",
    "block f(for, y) = y",
    "size = 640 KB ib",
    "size = 640 KB",
    "bits = 3 bitz",
    "bits = 3bitz",
    "size = 640 kib  at = 0x10",
    "w = 0x",
    "w = .5",
    "w = 12ab",
    "w = 1__0",
    "w = 10_ + 1_000",
    "w = 1e999",
    f"w = {'9' * 60}",
    'name = "hello',
    r'name = "C:\data"',
    "name = 'x'",
    "q = a && b",
    "q = a $ b",
    "z = 3 < 4 < 5",
    "if a = 3 { x = 4 }",
    "require a = 3",
    "y = (3, 4]",
    "y = f(3, [4, 5)",
    "x = = 3",
    "x =",
    "x = 3 *",
    "let c3 =\nlet c4 = 3",
    "x =\ny = 3",
    "}",
    "model c",
    "model b extend detector { x = 3 }",
    "größe = 4",
    "x = f(a = 1, 2)",
    "x = f(a = 1, a = 2)",
    "x = {a: 1, a: 2}",
    "block f(x, x) = x",
    "model m extends a extends b {}",
    '@source("x")',
    "x = 1\n## nothing follows",
    "x = if a then b",
    "for x in y",
    "use",
    "x = [a for b]",
    "model m {",
    "x = f(1",
    "x = [k = 3]",
    "3 = x",
]


def test_slips_in_the_users_words(golden: Callable[[str, str], None]) -> None:
    told = []
    for text in SLIPS:
        source = Source("a.det", text)
        found = parse(source)[1]
        assert found, text
        told.append(render(found, {"a.det": source}, grouped=False))
    golden("syntax/slips.txt", ("\n" + "-" * 60 + "\n").join(told))


@pytest.mark.parametrize("text", SLIPS)
def test_one_slip_is_one_report(text: str) -> None:
    assert len(findings(text)) == 1


@pytest.mark.parametrize("text", SLIPS)
def test_the_items_around_a_slip_survive(text: str) -> None:
    file, _ = parse(Source("a.det", f"first = 1\n{text}\n\nmodel last {{\n  inner = 2\n}}\n"))
    assert isinstance(file.items[0], tree.Assign)
    if text.startswith("@") or "##" in text:
        return
    labels = [
        item.label.id for item in file.items if isinstance(item, tree.Block) and isinstance(item.label, tree.Name)
    ]
    assert "last" in labels


def test_three_mistakes_give_three_reports() -> None:
    text = """
model a extends detector {
  input frame: u8[3, 448, 448]
  let c1 = frame |> conv(64, k = = 3x3) |> relu |> maxpool(2x2)
  let c2 = c1 |> conv(64, k = 3x3
  let c3 = c2 |> relu
}

train t on a {
  batch 16
  stage s { epochs = 5 }
}
"""
    found = findings(text)
    assert [finding.span.line for finding in found if finding.span] == [4, 5, 10]
    file = parse(Source("", text))[0]
    assert [type(item).__name__ for item in file.items] == ["Block", "Block"]


@pytest.mark.parametrize("bracket", ["(", "[", "{"])
def test_an_unclosed_bracket_is_reported_where_it_was_opened(bracket: str) -> None:
    text = f"model a {{\n  let b = f{bracket}1\n  let c = 2\n}}\nmodel d {{\n  e = 1\n}}\n"
    if bracket == "{":
        text = "model a {\n  stage s {\n    x = 1\n  let c = 2\n}\nmodel d {\n  e = 1\n}\n"
    finding = only(text)
    assert finding.code == "SYN120" and finding.span is not None
    assert text.split("\n")[finding.span.line - 1][finding.span.column - 1] == bracket
    assert len(parse(Source("", text))[0].items) == 2


def test_a_body_that_is_never_closed_leaves_the_rest_alone() -> None:
    finding = only("model a {\n  x = 1\n\nmodel b {\n  y = 2\n}\n\nmodel c { z = 3 }\n")
    assert (finding.code, finding.span and finding.span.line) == ("SYN120", 1)


def test_badly_indented_text_is_no_mistake() -> None:
    assert not findings("model a {\nx = f(\n1,\n2)\nstage s {\ny = 1\n}\n}\nb = [\n1\n]\n")


def test_every_rule_has_a_remedy_and_can_be_read() -> None:
    for text in SLIPS:
        for finding in findings(text):
            assert finding.help or "expected" in finding.message or finding.code == "SYN116", finding
            assert not re.search(r"[A-Z]{4,}", finding.message.replace(finding.code, "")), finding.message


def test_a_huge_text_is_refused_unread() -> None:
    finding = only("x = 1\n" * (MAX_CHARACTERS // 6 + 1))
    assert finding.code == "SYN103"

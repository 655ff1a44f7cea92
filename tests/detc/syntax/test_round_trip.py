"""Trees printed and read again; the formatter in between changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given, settings

from detc.diagnostics import Source
from detc.syntax import tree
from detc.syntax.format import format_file, same
from detc.syntax.parser import parse
from detc.syntax.source_text import expr_text, file_text, item_text
from tree_strategies import exprs, files


@given(exprs)
def test_an_expression_reads_back_as_it_was(expr: tree.Expr) -> None:
    file, findings = parse(Source("", f"x = {expr_text(expr)}"))
    assert not findings
    (item,) = file.items
    assert isinstance(item, tree.Assign)
    assert same(item.value, expr), expr_text(expr)


@settings(max_examples=int(os.environ.get("DETC_FUZZ", "30")))
@given(files())
def test_a_file_reads_back_as_it_was_formatted_or_not(file: tree.File) -> None:
    text = file_text(file)
    again, findings = parse(Source("", text))
    assert not findings, text
    assert same(file, again), text
    formatted, _ = format_file(text)
    again, _ = parse(Source("", formatted))
    assert same(file, again), formatted
    assert format_file(formatted)[0] == formatted


def test_items_print_on_their_own() -> None:
    file, _ = parse(Source("", 'block f(x) = x |> conv(3)\nlimit a.b <= 4 KiB else "no"'))
    assert [item_text(item) for item in file.items] == ["block f(x) = x |> conv(3)", 'limit a.b <= 4 KiB else "no"']


def test_the_samples_parse_print_and_format(shared: Path) -> None:
    samples = sorted((shared / "language").glob("*.det"))
    assert samples
    for sample in samples:
        file, findings = parse(Source(sample.name, sample.read_text(encoding="utf-8")))
        assert not findings, sample
        assert same(file, parse(Source("", file_text(file)))[0]), sample
        formatted, _ = format_file(sample.read_text(encoding="utf-8"))
        assert same(file, parse(Source("", formatted))[0]), sample
        assert format_file(formatted)[0] == formatted, sample

"""Whatever bytes come, the parser answers with findings that point into the file, soon."""

from __future__ import annotations

import os
import time
from random import Random

import pytest

from detc.diagnostics import Finding, Source, Span
from detc.diagnostics.render_text import render
from detc.syntax.automaton import MAX_DEPTH
from detc.syntax.format import format_file, same
from detc.syntax.lexer import MAX_FINDINGS
from detc.syntax.parser import MAX_CHARACTERS, parse
from spec_generator import mutate_bytes, mutate_tree, spec, walk

CASES = int(os.environ.get("DETC_FUZZ", "400"))


def inside(span: Span, lines: list[str]) -> bool:
    start, end = (span.line, span.column), (span.end_line, span.end_column)
    return (
        (1, 1) <= start <= end
        and span.end_line <= len(lines)
        and span.column <= len(lines[span.line - 1]) + 1
        and span.end_column <= len(lines[span.end_line - 1]) + 1
    )


def check(text: str) -> tuple[Finding, ...]:
    source = Source("fuzz.det", text)
    file, findings = parse(source)
    lines = text.split("\n")
    for finding in findings:
        for span in [finding.span, *(related.span for related in finding.related)]:
            assert span is None or inside(span, lines), (finding, text)
    for node in walk(file):
        assert inside(node.span, lines), (node, text)
    assert len(findings) <= MAX_FINDINGS + 3
    render(findings, {source.path: source})
    return findings


@pytest.mark.parametrize("chunk", range(4))
def test_spoilt_bytes_give_findings_inside_the_file(chunk: int) -> None:
    for seed in range(chunk * CASES // 4, (chunk + 1) * CASES // 4):
        rng = Random(seed)
        check(mutate_bytes(rng, spec(rng).encode()).decode("utf-8", "replace"))


def test_spoilt_trees_still_parse_and_format() -> None:
    for seed in range(CASES // 10):
        rng = Random(seed)
        text = mutate_tree(rng, spec(rng))
        findings = check(text)
        if all(finding.level != "error" for finding in findings):
            formatted, _ = format_file(text)
            assert same(parse(Source("", text))[0], parse(Source("", formatted))[0]), seed
            assert format_file(formatted)[0] == formatted, seed


@pytest.mark.parametrize(
    "word",
    [
        "(",
        "[",
        "{",
        "a(",
        "- ",
        "not ",
        "x = ",
        "a |> ",
        "if a then ",
        "a {",
        "[x for x in ",
        '"',
        "@",
        "1 + ",
        "##",
        "'",
        ",",
    ],
)
@pytest.mark.alone
def test_endless_nesting_and_chains_are_refused_soon(word: str) -> None:
    text = "x = " + word * (MAX_CHARACTERS // 4 // len(word))
    start = time.process_time()
    findings = check(text)
    assert time.process_time() - start < 3
    assert any(finding.level == "error" for finding in findings) or word == "##"


@pytest.mark.parametrize(
    "word", ["3 bitz ", "$", "x = 'a' ", "a = ) ", "size = 3 KB ib\n", "x = = 3\n", "}\n", "let in = 3\n"]
)
@pytest.mark.alone
def test_a_file_full_of_mistakes_is_given_up_soon(word: str) -> None:
    start = time.process_time()
    findings = check(word * (MAX_CHARACTERS // 4 // len(word)))
    assert time.process_time() - start < 3
    assert any(finding.code == "SYN105" for finding in findings)


def test_nesting_up_to_the_limit_is_accepted() -> None:
    deep = "x = " + "[" * (MAX_DEPTH // 2 - 2) + "]" * (MAX_DEPTH // 2 - 2)
    assert not check(deep)
    assert [finding.code for finding in check("x = " + "-" * (MAX_DEPTH + 1) + "a\ny = 3")] == ["SYN104"]

"""Specs that would grow or nest without end, and files that are no specs: a finding each, never a crash, never a hang."""

# ruff: noqa: E501  (a case reads best on one line)

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from elaborating import lines, model, run

from detc.semantics import limits
from detc.semantics.elaborate import elaborate
from detc.syntax.reading import MAX_BYTES

DOUBLING = "\n".join(
    ["block b0(x) = x |> {leaf} |> {leaf}"] + [f"block b{n}(x) = x |> b{n - 1} |> b{n - 1}" for n in range(1, 20)]
)

HOSTILE = {
    "nodes doubled by blocks": (model("output y = frame |> b19", DOUBLING.replace("{leaf}", "relu")), "SEM130"),
    "nodes repeated": (model("output y = frame |> ((relu |> relu) * 40) * 40"), "SEM130"),
    "one mistake on each line": ("\n".join(f"let a{n} = b{n}" for n in range(5000)), "SEM159"),
    "repetition of nothing": (model("output y = frame |> ((relu * 0) * 1900) * 1900"), "SEM131"),
    "too many repetitions": (model("output y = frame |> relu * 1000000000"), "SEM133"),
    "lists of lists": (model("let a = [[[0 for i in 0 .. 9999] for j in 0 .. 9999] for k in 0 .. 9999]\noutput y = frame"), "SEM133"),
    "a list doubled by lets": (
        model("let l0 = [1, 2]\n" + "\n".join(f"let l{n} = [l{n - 1}, l{n - 1}]" for n in range(1, 49)) + "\noutput y = frame"),
        "SEM133",
    ),
    "lists nested by lets": (
        model("let l0 = [1]\n" + "\n".join(f"let l{n} = [l{n - 1}]" for n in range(1, 3000)) + "\noutput y = frame"),
        "SEM133",
    ),
    "functions nested by lets": (
        model("let f0 = relu\n" + "\n".join(f"let f{n} = (relu |> f{n - 1})" for n in range(1, 3000)) + "\noutput y = frame |> f2999"),
        "SEM132",
    ),
    "functions doubled by lets": (
        model("let f0 = relu\n" + "\n".join(f"let f{n} = f{n - 1} |> f{n - 1}" for n in range(1, 20)) + "\noutput y = frame |> f19"),
        "SEM130",
    ),
    "hosts of hosts": (
        model("let f0 = relu\n" + "\n".join(f"let f{n} = host(f{n - 1})" for n in range(1, 3000)) + "\noutput y = frame |> f2999"),
        "SEM132",
    ),
    "a list times a number": (model("let l = [1, 2] * 1000000000\noutput y = frame"), "SEM133"),
    "a string doubled by lets": (
        model('let s0 = "x"\n' + "\n".join(f"let s{n} = s{n - 1} + s{n - 1}" for n in range(1, 60)) + "\noutput y = frame"),
        "SEM133",
    ),
    "a number squared by lets": (
        model("let n0 = 10\n" + "\n".join(f"let n{n} = n{n - 1} * n{n - 1}" for n in range(1, 60)) + "\noutput y = frame"),
        "SEM133",
    ),
    "a fraction beyond all bounds": (model("let a = 1e300 * 1e300\noutput y = frame"), "SEM133"),
    "a long range": (model("let a = [x for x in 0 .. 10000000000]\noutput y = frame"), "SEM133"),
    "a long number": (model("let a = 99999999999999999999999\noutput y = frame"), "SEM133"),
    "blocks nested by calls": (
        model("output y = frame |> b999", "block b0(x) = x |> relu\n" + "\n".join(f"block b{n}(x) = x |> b{n - 1}" for n in range(1, 1000))),
        "SEM132",
    ),
    "an endless recursion": (model("output y = frame |> f", "block f(x) = concat(x |> f, x |> f)"), "SEM118"),
    "a huge picture": ("model m extends detector { input f: u8[3, 99999999, 99999999] output y = f |> relu }", "SEM154"),
}  # fmt: skip


@pytest.mark.parametrize("title", HOSTILE)
@pytest.mark.alone
def test_growth_and_depth_are_refused_with_a_finding(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "NODES", 2000)
    monkeypatch.setattr(limits, "SECONDS", 1.0)
    text, code = HOSTILE[title]
    before, frames = time.process_time(), sys.getrecursionlimit()
    found = run(tmp_path, text).findings
    assert code in {finding.code for finding in found}, [finding.message for finding in found]
    assert all(finding.span is not None for finding in found)
    assert time.process_time() - before < 4
    assert sys.getrecursionlimit() == frames


@pytest.mark.long
def test_the_real_limits_hold(tmp_path: Path) -> None:
    text = model("output y = frame |> ((relu |> relu) * 400) * 400")
    assert {finding.code for finding in run(tmp_path, text).findings} <= {"SEM130", "SEM131"}


def test_a_deep_spec_fits_the_stack_that_a_test_leaves(tmp_path: Path) -> None:
    """The deepest nesting that is allowed, of the costliest kind, in far fewer frames than Python has."""
    deepest = limits.DEPTH // 4

    def nested(n: int) -> str:
        return model(
            "output y = frame |> b0",
            "\n".join(
                f"block b{i}(x) {{ if true {{ let l = [b{i + 1}(x) for j in 0 .. 0]\n  output y = l[0] }} }}"
                for i in range(n)
            )
            + f"\nblock b{n}(x) = x |> relu",
        )

    program = run(tmp_path, nested(deepest - 9))
    assert lines(program) == []
    assert "SEM132" in {finding.code for finding in run(tmp_path, nested(4 * deepest)).findings}


@pytest.mark.parametrize(
    ("make", "code", "reason"),
    [
        (lambda path: None, "SYN101", "no such file"),
        (lambda path: path.mkdir(), "SYN101", "it is a folder"),
        (lambda path: path.write_bytes(b"param a = \xff\xfe"), "SYN102", "is not UTF-8"),
        (lambda path: path.write_bytes(b"#" * (MAX_BYTES + 1)), "SYN103", "too large"),
        (lambda path: os.mkfifo(path), "SYN101", "it is not a file"),
    ],
)
def test_what_is_no_readable_text_is_a_finding(make: object, code: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.det"
    make(path)  # type: ignore[operator]
    program = elaborate(path)
    assert [finding.code for finding in program.findings] == [code]
    assert reason in program.findings[0].message


@pytest.mark.parametrize(
    "text", ["", "\ufeff", "\0", "\n\n", "# nothing", "model", "{" * 5000, "(" * 5000, "]" * 5000, "|> " * 3000]
)
def test_odd_texts_are_read_or_refused(text: str, tmp_path: Path) -> None:
    run(tmp_path, text)


@pytest.mark.alone
def test_a_spec_with_hundreds_of_unknown_names_is_answered_quickly(tmp_path: Path) -> None:
    body = "\n".join(f"let known_name_number_{n} = unknown_name_number_{n}" for n in range(2000))
    before = time.process_time()
    program = run(tmp_path, model(body + "\noutput y = frame"))
    assert len(program.findings) >= 200
    assert time.process_time() - before < 4

"""Specs changed at random, by bytes and by words: whatever comes out is answered by findings with true places, soon."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest
from elaborating import model
from hypothesis import given
from hypothesis import strategies as st

from detc.diagnostics.render_text import render
from detc.ir.verify import verify
from detc.semantics import build
from detc.semantics.elaborate import elaborate
from detc.semantics.program import Program

DETECTOR = model(
    """
    let a = frame |> cbr(4) |> (conv(4) |> relu) * n |> inner(c = 6, act = silu)
    let c = conv(6)
    let b = if a.channels == 6 then a |> c |> c else a
    let sides = [f |> conv(k, 1x1, pad = valid) for f, k in zip([a, b], [2, 4]) if k > 1]
    output y = concat(sides) + (b |> conv(6)) |> maxpool(2x2)
    output z = [a.wide, b] + [b |> conv(divisible(7.5 * width, 4), weights = masked(3 bits), init = bias(-log(99)))]
    head gnetdet on y { boxes = 1  classes = len(names) - 2 }
    """,
    """
    use std.blocks as std
    param n: int = 2 where n in 0 .. 4
    param width: float = 1.0
    let names = ["a", "b", "c"]
    default bn { eps = 1e-3 momentum = 3 % }
    block cbr(x, c, k = 3x3, act = relu) = x |> conv(c, k = k, bias = false) |> bn |> act
    block inner(x, c, act) {
      let wide = x |> cbr(c * 2, act = act) |> std.squeeze
      require c // 2 * 2 == c else "even"
      for i in 0 .. 1 { let t = wide |> relu }
      output y = wide |> conv(c, k = 1x1) |> dropout(10 %)
      output z = { m: wide, n: 3 }.m
    }
    """,
).replace("u8[3, 8, 8]", "u8[3, 16, 16] = camera(order = bgr, mean = imagenet.mean, scale = raw)")

TRAINED = (
    DETECTOR
    + """
data d = data.voc(root = path("data"), classes = ["a"])
train t on m {
  data = d  batch = 4  optimizer = sgd(lr = 1e-2)
  stage float { epochs = 3 epochs  schedule = step(every = 2 epochs, gamma = 0.1) }
  stage tune  { start = float.best  epochs = 2 epochs  require drop(map50, since = float) <= 3 points }
}
require m.params <= 1e6
"""
)

WORDS = re.compile(r'"[^"\n]*"|\d[\w.]*|\w+|\|>|\.\.|[<>=!]=|[^\s\w]')
INSERTED = [
    *("|>", "*", "+", "-", "0", "1e9", "99999999999", "3x3", "3 bits", "10 %", "none", "true", "-1", "0.5", '"s"'),
    *("[", "]", "(", ")", "{", "}", "..", "==", "=", ".", ",", "x", "y", "a", "c", "frame", "conv", "relu", "concat"),
    *("let", "output", "block", "for", "if", "then", "else", "in", "not", "and", "use", "param", "model", "require"),
    *("default", "host", "zip", "same", "bn", "channels"),
]


def mutated(text: str, pick: random.Random) -> str:
    """The text with one to four words (or characters) dropped, doubled, swapped, replaced or inserted."""
    for _ in range(pick.randint(1, 4)):
        if pick.random() < 0.3:
            at = pick.randrange(len(text) + 1)
            text = (
                text[:at]
                + pick.choice(["", pick.choice('(){}[]|>=.,"#@\\\n\t\0é0x '), chr(pick.randrange(1, 0x300))])
                + text[at + pick.randint(0, 2) :]
            )
            continue
        words = list(WORDS.finditer(text))
        if not words:
            return text
        one, other = pick.choice(words), pick.choice(words)
        new = pick.choice(
            ["", one[0] + " " + one[0], other[0], pick.choice(INSERTED), f"{one[0]} {pick.choice(INSERTED)}"]
        )
        text = text[: one.start()] + new + text[one.end() :]
    return text


def examined(text: str, folder: Path) -> Program:
    """Elaborates a text; asks that it takes little time, that graphs are sound and that every place exists."""
    path = folder / "spec.det"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    before = time.process_time()
    program = elaborate(path)
    spent = time.process_time() - before
    assert spent < 5, f"{spent:.1f} s"
    for one in program.models.values():
        verify(one.graph)
    for finding in program.findings:
        for span in filter(None, (finding.span, *(related.span for related in finding.related))):
            lines = program.sources[span.file].text.split("\n")
            assert 1 <= span.line <= span.end_line <= len(lines), (finding, len(lines))
            assert 1 <= span.column <= len(lines[span.line - 1]) + 1, finding
            assert 1 <= span.end_column <= len(lines[span.end_line - 1]) + 1, finding
    render(program.findings, program.sources, False)
    return program


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutations")


def test_the_specs_that_are_mutated_are_sound(folder: Path) -> None:
    for text in (DETECTOR, TRAINED):
        found = examined(text, folder).findings
        assert [finding.message for finding in found if finding.level == "error"] == []


@given(seed=st.integers(0, 2**32 - 1))
def test_mutants_are_answered_by_findings(seed: int, folder: Path) -> None:
    pick = random.Random(seed)
    examined(mutated(pick.choice((DETECTOR, TRAINED)), pick), folder)


def test_enough_mutants_reach_the_inference_of_shapes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    add = build.Builder.add

    def counted(self: build.Builder, *args: object, **kwargs: object) -> object:
        made.append(len(self.nodes))
        return add(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(build.Builder, "add", counted)
    pick = random.Random(7)
    reached = 0
    for _ in range(60):
        made.clear()
        examined(mutated(TRAINED, pick), folder)
        reached += len(made) > 1
    assert reached >= 0.3 * 60

"""Small specs for tests of the sections around a model: what differs is put in, the rest stays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from detc.diagnostics import Finding
from detc.semantics.elaborate import elaborate
from detc.semantics.program import Program

MODEL = """
param classes: int = 2
model tiny extends detector {
  input frame: u8[3, 28, 28] = camera(order = bgr)
  let p4 = frame |> conv(8) |> relu(cap = 31) |> maxpool(2x2)
  output grid = p4 |> conv(10 + classes) |> relu(cap = 31)
  head gnetdet on grid { boxes = 2  classes = classes }
}
"""
DATA = 'data cells = data.voc(root = path("cells"), classes = ["red", "white"])\n'


def program_of(
    folder: Path, text: str, sets: Mapping[str, str] | None = None, target: str | None = None, name: str = "mine.det"
) -> Program:
    """The program of a spec of this text, written to `folder`."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return elaborate(path, sets or {}, target)


def trained(stages: str) -> str:
    """A spec with the tiny model, data and one train block `steps` of these items."""
    return f"{MODEL}{DATA}train steps on tiny {{\n  data = cells\n{stages}\n}}\n"


def errors(program: Program) -> list[Finding]:
    return [finding for finding in program.findings if finding.level == "error"]


def codes(program: Program) -> list[str]:
    """Codes of all findings but notes, in order."""
    return [finding.code for finding in program.findings if finding.level != "note"]


def under(program: Program, finding: Finding) -> str:
    """The text that the finding points at."""
    assert finding.span is not None
    source = program.sources[finding.span.file]
    line = source.line(finding.span.line)
    end = finding.span.end_column - 1 if finding.span.end_line == finding.span.line else len(line)
    return line[finding.span.column - 1 : end]

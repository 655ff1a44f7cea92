"""What the tests of elaboration share: a spec from a few lines, its graph as text, its findings as lines."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from detc.diagnostics import Finding
from detc.ir.text import print_graph
from detc.ir.verify import verify
from detc.semantics.elaborate import elaborate
from detc.semantics.program import Program


def model(body: str, head: str = "") -> str:
    """A spec with one model of these items on an 8x8 picture; `head` stands before it."""
    inner = textwrap.indent(textwrap.dedent(body).strip(), "  ")
    return f"{textwrap.dedent(head).strip()}\nmodel m extends detector {{\n  input frame: u8[3, 8, 8]\n{inner}\n}}\n"


def run(folder: Path, text: str, sets: Mapping[str, str] | None = None, name: str = "spec.det") -> Program:
    """The program of a spec of this text in `folder`; its graphs keep the rules of graphs."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    program = elaborate(path, sets)
    for one in program.models.values():
        verify(one.graph, f"elaborating {name}")
    return program


def graph(program: Program, name: str = "m") -> str:
    """The text of a model's graph, after a look that nothing was wrong with the spec."""
    assert lines(program) == [], "\n".join(lines(program))
    return print_graph(program.models[name].graph)


def line(finding: Finding) -> str:
    """`SEM101 4:18 message | help`."""
    place = f"{finding.span.line}:{finding.span.column}" if finding.span else "-"
    return f"{finding.code} {place} {finding.message}" + (f" | {finding.help}" if finding.help else "")


def lines(program: Program) -> list[str]:
    return [line(finding) for finding in program.findings]

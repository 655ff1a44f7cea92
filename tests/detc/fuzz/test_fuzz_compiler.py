"""Spoilt specs through the whole compiler: no crash, no hang, and every finding points into its file."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

import pytest

from detc.compilation import compile_spec
from detc.diagnostics import Source, Span
from detc.diagnostics.render_text import render
from detc.ir.graph import Graph, Node
from spec_generator import mutate_bytes, mutate_tree, spec

CASES = int(os.environ.get("DETC_FUZZ", "2000"))
CHUNKS = 10
TARGETS = ("gti5801", "gti5801", "kapoho_point")
SLOWEST = 10.0
"""Seconds of CPU that one spec may take."""


def spoilt(seed: int) -> bytes:
    """The spec of this seed: spoilt by byte if the seed is even, by tree if it is odd."""
    rng = Random(seed)
    text = spec(rng)
    return mutate_tree(rng, text).encode() if seed % 2 else mutate_bytes(rng, text.encode())


def inside(span: Span, sources: dict[str, Source]) -> bool:
    source = sources.get(span.file)
    if source is None:
        return False
    lines = source.text.split("\n")
    if not 1 <= span.line <= span.end_line <= len(lines):
        return False
    first, last = lines[span.line - 1], lines[span.end_line - 1]
    return 1 <= span.column <= len(first) + 1 and 1 <= span.end_column <= len(last) + 1


def compile_all(seeds: range, folder: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    """Compile the specs of `seeds`; the share of them that got a layer's shape inferred."""
    layers: list[int] = []
    add = Graph.add

    def counted(self: Graph, node: Node) -> Node:
        if node.inputs:
            layers[-1] += 1
        return add(self, node)

    monkeypatch.setattr(Graph, "add", counted)
    for seed in seeds:
        path = folder / "spoilt.det"
        path.write_bytes(spoilt(seed))
        layers.append(0)
        start = time.process_time()
        compilation = compile_spec(path, TARGETS[seed // 2 % len(TARGETS)])
        assert time.process_time() - start < SLOWEST, f"seed {seed}"
        sources = dict(compilation.program.sources)
        for finding in compilation.findings:
            for span in (finding.span, *(related.span for related in finding.related)):
                assert span is None or inside(span, sources), f"seed {seed}: {finding}"
        render(compilation.findings, sources)
    return sum(map(bool, layers)) / len(layers)


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_spoilt_specs_are_judged(chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = max(20, CASES // CHUNKS)
    assert compile_all(range(chunk * size, (chunk + 1) * size), tmp_path, monkeypatch) >= 0.3


def test_a_few_spoilt_specs_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compile_all(range(40), tmp_path, monkeypatch) >= 0.3

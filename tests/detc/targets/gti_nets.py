"""Nets by hand, and targets from edited copies of target.det."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detc.diagnostics import Finding, Span
from detc.ir.graph import Graph, Node
from detc.ir.op import Op, Problem
from detc.ir.ops.activation import Relu
from detc.ir.ops.combine import Add
from detc.ir.ops.conv import Conv
from detc.ir.ops.pool import MaxPool, SamplePool
from detc.ir.ops.source import Input
from detc.ir.types import TensorType
from detc.passes.context import Context
from detc.passes.pipeline import FRONT, LOWERING, run
from detc.semantics.program import Head, Model, Target
from detc.targets import backend_of, det_file
from detc.targets.backend import Judgement

SPAN = Span("net.det", 1, 1, 1, 9)


class Net:
    """A chain under construction: `net.conv(64).pool()`; names are c1, r1, c2, p1 .. in order."""

    def __init__(self, size: int = 448, channels: int = 3, **input_fields: Any) -> None:
        self.graph = Graph("net")
        shape = input_fields.pop("shape", (channels, size, size))
        op = Input(shape=shape, **input_fields)
        self.graph.add(Node("frame", op, (), TensorType(shape, op.dtype), SPAN))
        self.last = "frame"
        self.counts: dict[str, int] = {}

    def put(self, letter: str, op: Op, *inputs: str) -> Net:
        self.counts[letter] = self.counts.get(letter, 0) + 1
        names = inputs or (self.last,)
        type = op.infer([self.graph[n].type for n in names])
        assert not isinstance(type, Problem), type
        name = f"{letter}{self.counts[letter]}"
        self.graph.add(Node(name, op, names, type, Span("net.det", len(self.graph) + 1, 1, len(self.graph) + 1, 9)))
        self.last = name
        return self

    def conv(self, channels: int, bits: int | None = 3, relu: float | bool | None = 31, **fields: Any) -> Net:
        """A conv with its ReLU; `relu=False` leaves the ReLU out, `relu=None` its cap."""
        fields.setdefault("weights", ("masked", bits) if bits else None)
        self.put("c", Conv(channels, **fields))
        return self if relu is False else self.relu(relu)

    def relu(self, cap: float | None = 31) -> Net:
        return self.put("r", Relu(cap))

    def pointwise(self, channels: int, **fields: Any) -> Net:
        return self.conv(channels, bits=fields.pop("bits", 8), k=(1, 1), pad=(0, 0), **fields)

    def depthwise(self, **fields: Any) -> Net:
        channels = self.graph[self.last].type.channels
        return self.conv(channels, bits=fields.pop("bits", 8), groups=channels, **fields)

    def pool(self, **fields: Any) -> Net:
        return self.put("p", MaxPool(**fields))

    def sample(self) -> Net:
        return self.put("s", SamplePool())

    def residual(self, channels: int, bits: int = 3) -> Net:
        """x |> conv |> relu |> conv + x |> relu"""
        shortcut = self.last
        self.conv(channels, bits).conv(channels, bits, relu=False)
        return self.put("a", Add(), self.last, shortcut).relu()

    def done(self) -> Graph:
        self.graph.outputs["grid"] = (self.last,)
        return self.graph


def gnetdet(size: int = 448, classes: int = 20, width: float = 1.0) -> Net:
    """The vendor's network by hand."""
    net = Net(size)
    stages = (
        [(1, 64), (1, 64), (2, 128), (3, 256), (3, 256)] if size == 448 else [(2, 64), (2, 128), (3, 256), (3, 256)]
    )
    for count, channels in stages:
        for _ in range(count):
            net.conv(int(channels * width))
        net.pool()
    for _ in range(3):
        net.conv(int(256 * width))
    for _ in range(2):
        net.conv(int(256 * width), 8)
    return net.conv(10 + classes, 8)


def load_target(folder: Path, *edits: tuple[str, str], extra: str = "", name: str = "gti5801") -> Target:
    """The shipped target.det of `name` with textual edits, called `probe`, as a user's own file would be read."""
    from detc.semantics.environment import Context as Elaboration
    from detc.semantics.overrides import Overrides
    from detc.semantics.program import Program
    from detc.semantics.targets import resolve

    text = det_file(name).read_text(encoding="utf-8")
    for old, new in ((f"target {name} ", "target probe "), *edits):
        pattern = r"\s+".join(map(re.escape, old.split()))
        assert len(re.findall(pattern, text)) == 1, f"{old!r} occurs {len(re.findall(pattern, text))} times"
        text = re.sub(pattern, lambda _, new=new: new, text)
    (folder / "probe.det").write_text(text + extra, encoding="utf-8")
    context = Elaboration(Program("probe", "probe.det"), folder, Overrides())
    target = resolve("probe", context, None, chosen=True)
    assert target is not None and not context.findings, context.findings
    return target


def judge(
    net: Net | Graph, target: Target, heads: Sequence[Head] = (), host: frozenset[str] = frozenset()
) -> Judgement:
    graph = net.done() if isinstance(net, Net) else net
    lowered, _ = run(graph, (*FRONT, *LOWERING), Context(target, host))
    known = backend_of((*target.lineage, "gti5801"))
    assert known is not None
    return known.judge(lowered, Model("net", "detector", graph, list(heads), host=host), target)


def codes(findings: Sequence[Finding], *levels: str) -> list[str]:
    """Codes of the findings of these levels (errors and warnings where none is named), each once, sorted."""
    wanted = levels or ("error", "warning")
    return sorted({f.code for f in findings if f.level in wanted})


def head(classes: int, boxes: int = 2) -> Head:
    return Head("gnetdet", ("grid",), {"boxes": boxes, "classes": classes}, SPAN)

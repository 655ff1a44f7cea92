"""Where findings about another tool's network stand: at operators of its file, not at lines of a spec that nobody has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from detc.diagnostics import Finding, Related, Source, Span
from detc.diagnostics.span import OperatorSpan
from detc.importers.foreign import ForeignModel
from detc.importers.unreadable import short
from detc.ir.graph import Graph


def listing(model: ForeignModel) -> str:
    """The operators of a file, one a line: what kind it is, its name or that of what it gives."""
    return "\n".join(f"{short(op.kind)} {short(op.name or op.outputs[0] if op.outputs else '')}" for op in model.ops)


def located(graph: Graph, model: ForeignModel, makers: Mapping[str, str], file: str) -> Graph:
    """The graph with each node at the operator of `file` that gives the tensor `makers` has for it."""
    numbers = {name: number for number, op in enumerate(model.ops, 1) for name in op.outputs}
    spans: dict[str, Span] = {}
    for node, tensor in makers.items():
        if number := numbers.get(tensor):
            kind = short(model.ops[number - 1].kind)
            spans[node] = OperatorSpan(file, number, 1, number, 1 + len(kind))
    return graph.rebuilt(replace(n, span=spans[n.name], via=(), arguments=()) if n.name in spans else n for n in graph)


def spec_source(name: str, text: str) -> Source:
    """The spec that a file would become, under a name that says so."""
    return Source(f"by `detc import`: {name}.det", text)


def in_spec(finding: Finding, file: str, spec: Source) -> Finding:
    """The finding with its places in lines of `file`, which was read as the spec, as places in `spec`."""

    def moved(span: Span) -> Span:
        return replace(span, file=spec.path) if span.file == file and not isinstance(span, OperatorSpan) else span

    return replace(
        finding,
        span=finding.span and moved(finding.span),
        related=tuple(Related(moved(related.span), related.label) for related in finding.related),
    )

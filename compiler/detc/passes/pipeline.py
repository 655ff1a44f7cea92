"""All passes on one screen, and the loop that runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from detc.diagnostics import Finding
from detc.ir.graph import Graph
from detc.ir.verify import verify
from detc.passes.context import Context, Pass
from detc.passes.dead_code import dead_code
from detc.passes.fold_batch_norm import fold_batch_norm
from detc.passes.fuse_activations import fuse_activations

FRONT: tuple[Pass, ...] = (dead_code,)
"""What every spec goes through: the graph that is counted, shown and generated as torch code."""

LOWERING: tuple[Pass, ...] = (fold_batch_norm, fuse_activations)
"""What every device computes: one node a layer. A target adds its own passes behind these."""

Callback = Callable[[str, Graph], None]


def run(
    graph: Graph, passes: Iterable[Pass], context: Context, between: Callback | None = None
) -> tuple[Graph, tuple[Finding, ...]]:
    """The graph after all passes and everything they found. `between(name, graph)` sees each step: to print, time or
    verify it."""
    found: list[Finding] = []
    for step in passes:
        graph, findings = step(graph, context)
        found += findings
        if between is not None:
            between(step.__name__, graph)
    return graph, tuple(found)


def verifying(name: str, graph: Graph) -> None:
    """A callback that stops at the first broken graph."""
    verify(graph, after=name)

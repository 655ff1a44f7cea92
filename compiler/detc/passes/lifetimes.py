"""Lifetimes: from which step to which each tensor must stay in memory. An analysis, the base of every memory
planner."""

from __future__ import annotations

from dataclasses import dataclass

from detc.ir.graph import Graph
from detc.ir.types import BITS


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The tensor of node `name` is written at step `first` and read last at step `last`, both counted from 0 and
    included.

    An output lives to the last step of the graph.
    """

    name: str
    first: int
    last: int
    bytes: int


def lifetimes(graph: Graph, dtype: str = "") -> tuple[Lifetime, ...]:
    """One lifetime a node, in execution order. With `dtype` all tensors but inputs count as of that type."""
    steps = {node.name: step for step, node in enumerate(graph)}
    last = dict(steps)
    for node in graph:
        for name in node.inputs:
            last[name] = max(last[name], steps[node.name])
    for name in graph.output_nodes:
        last[name] = len(graph) - 1
    return tuple(
        Lifetime(n.name, steps[n.name], last[n.name], _bytes(n.type.elements, dtype) if dtype else n.type.bytes)
        for n in graph
    )


def live_at(step: int, lives: tuple[Lifetime, ...]) -> tuple[Lifetime, ...]:
    """The tensors that must be in memory while `step` runs, its own inputs and output included."""
    return tuple(life for life in lives if life.first <= step <= life.last)


def peak(lives: tuple[Lifetime, ...]) -> tuple[int, int]:
    """(step, bytes) of the fullest step, the first of equals: no memory plan can need less than these bytes."""
    changes: dict[int, int] = {}
    for life in lives:
        changes[life.first] = changes.get(life.first, 0) + life.bytes
        changes[life.last + 1] = changes.get(life.last + 1, 0) - life.bytes
    best, now = (0, 0), 0
    for step in sorted(changes):
        now += changes[step]
        if now > best[1]:
            best = (step, now)
    return best


def _bytes(elements: int, dtype: str) -> int:
    return -(-elements * BITS[dtype] // 8)

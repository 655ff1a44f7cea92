"""STM32 as a target: judge a lowered graph, place it in memory, and say what it costs."""

from __future__ import annotations

from detc.ir.graph import Graph
from detc.semantics.program import Model, Target
from detc.targets.backend import Judgement, TargetBackend


def judge(graph: Graph, model: Model, target: Target) -> Judgement:
    """Everything an STM32 says of a model: findings, the plan of its steps, metrics and budget bars."""
    return Judgement()


BACKEND = TargetBackend(name="stm32", judge=judge)

"""STM32 as a target: judge a lowered graph, place it in memory, and say what it costs."""

from __future__ import annotations

from detc.ir.graph import Graph
from detc.semantics.program import Model, Target
from detc.targets.backend import Judgement, TargetBackend
from detc.targets.stm32.lowering import steps_of
from detc.targets.stm32.plan import plan_json


def judge(graph: Graph, model: Model, target: Target) -> Judgement:
    """Everything an STM32 says of a model: findings, the plan of its steps, metrics and budget bars."""
    steps, found = steps_of(graph, model)
    return Judgement(findings=found, plan=None if found else plan_json(steps))


BACKEND = TargetBackend(name="stm32", judge=judge)

"""STM32 as a target: judge a lowered graph, place it in memory, and say what it costs."""

from __future__ import annotations

from detc.ir.graph import Graph
from detc.semantics.program import Model, Target
from detc.targets.backend import Judgement, TargetBackend
from detc.targets.stm32.arena import plan_arena
from detc.targets.stm32.facts import memories
from detc.targets.stm32.lowering import steps_of
from detc.targets.stm32.plan import plan_json
from detc.targets.stm32.pools import Room
from detc.targets.stm32.verify import verify_plan


def judge(graph: Graph, model: Model, target: Target) -> Judgement:
    """Everything an STM32 says of a model: findings, the plan of its steps, metrics and budget bars."""
    steps, found = steps_of(graph, model)
    if found:
        return Judgement(findings=found)
    arena = plan_arena(steps, [Room(pool.name, pool.address, pool.room) for pool in memories(target)])
    plan = plan_json(steps, arena)
    return Judgement(verify_plan(plan, target) if arena.fits else (), plan, metrics={"ram_own": arena.bytes})


BACKEND = TargetBackend(name="stm32", judge=judge)

"""STM32 as a target: judge a lowered graph, place it in memory, and say what it costs."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from detc.diagnostics import Finding, has_errors
from detc.ir.graph import Graph
from detc.semantics.program import Model, Target
from detc.targets.backend import Judgement, TargetBackend
from detc.targets.stm32.alike import Alike
from detc.targets.stm32.arena import plan_net
from detc.targets.stm32.costs import check_costs, costs_of, foreign_model
from detc.targets.stm32.lowering import steps_of
from detc.targets.stm32.memory_checks import (
    FLASH,
    OWN_RAM,
    POSTPROCESSING,
    ST_RAM,
    TENSOR,
    check_target,
    own_runtime,
    usable,
)
from detc.targets.stm32.metrics import UNITS, brief, errors, limits, metrics, titles
from detc.targets.stm32.npu import NPU_RAM
from detc.targets.stm32.own import OwnCosts, boxes_of, check_own_costs
from detc.targets.stm32.own_flash import own_flash
from detc.targets.stm32.plan import Plan, plan_json
from detc.targets.stm32.pools import Room
from detc.targets.stm32.st_graph import of_graph
from detc.targets.stm32.st_rules import read_rules
from detc.targets.stm32.timeline import timeline_of
from detc.targets.stm32.verify import verify_plan


def judge(graph: Graph, model: Model, target: Target, optimize: bool = False) -> Judgement:
    """Everything an STM32 says of a model: findings, the plan of its steps, metrics and budget bars."""
    lacking = tuple(check_target(target))
    rules = read_rules(target)
    if isinstance(rules, tuple) or has_errors(lacking):
        return Judgement((*lacking, *(rules if isinstance(rules, tuple) else ())))
    own, plan, found = _own(graph, model, target, optimize)
    seen = foreign_model(model) or of_graph(graph)
    if seen is None:  # ST's tool has no operator for a layer either, so what detc's own code lacks decides
        return Judgement((*lacking, *found), plan)
    if own is None and not own_runtime(target):
        found = tuple(replace(finding, level="warning") for finding in found)
    costs = costs_of(seen, target, rules)
    return Judgement(
        findings=(*lacking, *found, *check_costs(costs, target)),
        plan=plan,
        metrics=metrics(costs, own),
        limits=limits(costs, own, target),
        titles=titles(target),
        units=UNITS,
        errors=errors(costs, own),
        brief=brief(own, target),
        timeline=timeline_of(own.arena) if own else None,
    )


def _own(
    graph: Graph, model: Model, target: Target, optimize: bool
) -> tuple[OwnCosts | None, Plan | None, tuple[Finding, ...]]:
    """The net in detc's own C code: its costs and its plan, None where a layer has no kernel, and the findings."""
    steps, found = steps_of(graph, model)
    if found:
        return None, None, found
    rooms = [Room(pool.name, pool.address, pool.room) for pool in usable(target)]
    steps, arena = plan_net(steps, rooms, optimize)
    plan = plan_json(steps, arena)
    picture = next((node.span for node in graph.inputs), None)
    flash = own_flash(steps, any(len(slot.steps) > 1 for slot in arena.slots), model.heads, target)
    own = OwnCosts(steps, arena, flash, boxes_of(model, steps), picture)
    # A board changes a plan only by what it holds: the verdict on the same places in the same memories is the same.
    key = (repr(steps), repr(arena.slots), tuple(arena.house.tenants), tuple(arena.places))
    checked = _verified(Alike(key, plan)) if arena.fits else ()
    return own, plan, (*checked, *check_own_costs(own, target))


@lru_cache(maxsize=4)
def _verified(plan: Alike[Plan]) -> tuple[Finding, ...]:
    return verify_plan(plan.value)


SHRINKS = (OWN_RAM, POSTPROCESSING, ST_RAM, FLASH, NPU_RAM, TENSOR)
"""What a smaller net does not have."""
BACKEND = TargetBackend(name="stm32", judge=judge, shrinks=tuple(rule.code for rule in SHRINKS))

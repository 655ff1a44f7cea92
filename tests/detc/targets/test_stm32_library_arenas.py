"""Arenas of library specs: near their lower bound, and smaller in another order of the steps."""

from __future__ import annotations

import pytest

from detc.library import library_folder
from detc.passes.context import Context
from detc.passes.pipeline import LOWERING, run
from detc.targets.stm32.arena import Arena, plan_arena, plan_net
from detc.targets.stm32.lowering import steps_of
from detc.targets.stm32.plan import plan_json
from detc.targets.stm32.steps import Steps
from detc.targets.stm32.verify import verify_plan
from generated_nets import compiled
from stm32_schedules import alone

QUICK = ("st_yolo_lc_v1", "yolov2_tiny")
MOST = 1.02
"""An arena over its lower bound, at most."""


def steps_for(name: str) -> Steps | None:
    """None for nets of layers that no int8 kernel computes."""
    model = compiled(library_folder() / f"{name}.det")
    graph, _ = run(model.graph, LOWERING, Context(None, model.host))
    steps, found = steps_of(graph, model)
    return None if found else steps


def planned(steps: Steps) -> Arena:
    ordered, arena = plan_net(steps, ())
    assert verify_plan(plan_json(ordered, arena)) == ()
    assert arena.bound <= arena.bytes <= MOST * arena.bound
    return arena


@pytest.mark.parametrize("name", QUICK)
def test_arenas_are_near_their_lower_bound(name: str) -> None:
    steps = steps_for(name)
    assert steps is not None
    assert planned(steps).bytes <= alone(steps).bytes


def test_another_order_of_branches_needs_less_memory() -> None:
    """The heads of one map run while it is there anyway."""
    steps = steps_for("ssdlite_mobilenetv3small")
    assert steps is not None
    ordered, arena = plan_net(steps, ())
    assert [s.name for s in ordered.steps] != [s.name for s in steps.steps]
    assert sorted(s.name for s in ordered.steps) == sorted(s.name for s in steps.steps)
    assert arena.bytes < 0.95 * plan_arena(steps, ()).bytes

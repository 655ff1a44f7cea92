"""The arena of every spec of the library: near its lower bound, and what the order of steps and streams save."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from detc.library import library_folder, library_names
from detc.passes.context import Context
from detc.passes.pipeline import LOWERING, run
from detc.targets.stm32.arena import Arena, plan_net
from detc.targets.stm32.lowering import steps_of
from detc.targets.stm32.plan import plan_json
from detc.targets.stm32.steps import Steps
from detc.targets.stm32.verify import verify_plan
from generated_nets import compiled
from stm32_schedules import alone

QUICK = ("st_yolo_lc_v1", "ssdlite_mobilenetv3small", "yolov2_tiny", "extraction")
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


@pytest.mark.long
def test_the_arenas_of_the_library(golden: Callable[[str, str], None]) -> None:
    """`alone`: every step by itself and in the spec's order; `peak`: where the net needs its lower bound."""
    rows = [f"{'spec':26} {'alone':>10} {'arena':>10} {'bound':>10} {'over':>7}  streams  peak"]
    for name in library_names():
        if (steps := steps_for(name)) is not None:
            arena = planned(steps)
            streams = sum(len(slot.steps) > 1 for slot in arena.slots)
            over = f"{arena.bytes / arena.bound - 1:.2%}"
            figures = f"{alone(steps).bytes:>10,} {arena.bytes:>10,} {arena.bound:>10,} {over:>7}  {streams:>7}"
            rows.append(f"{name:26} {figures}  {arena.slots[arena.peak].output}")
    golden("stm32/arenas.txt", "\n".join(rows))

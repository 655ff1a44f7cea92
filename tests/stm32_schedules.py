"""Schedules with streams wherever they are possible, whether they save memory or not."""

from __future__ import annotations

import random
from typing import Any

from detc.targets.stm32.arena import Arena
from detc.targets.stm32.planners import best_of
from detc.targets.stm32.pools import Room
from detc.targets.stm32.schedule import Run, Schedule
from detc.targets.stm32.slots import Slot, slot_of
from detc.targets.stm32.steps import Step, Steps
from detc.targets.stm32.stream import MOST_STEPS
from detc.targets.stm32.tenants import house_of


def alone(steps: Steps) -> Arena:
    """Every step by itself."""
    return arena_of(steps, tuple(slot_of(steps, step) for step in steps.steps))


def streamed(steps: Steps, seed: int) -> Arena:
    """From every step on a stream as long as there may be one, or a shorter one."""
    chance, schedule = random.Random(seed), Schedule(steps, 1)
    runs: list[Run] = []
    at, count = 0, len(steps.steps)
    while at < count:
        ends = [end for end in range(at, min(at + MOST_STEPS, count)) if end == at or schedule.may_stream((at, end))]
        runs.append((at, ends[-1] if chance.random() < 0.7 else chance.choice(ends)))
        at = runs[-1][1] + 1
    schedule.runs = runs
    arena = arena_of(steps, schedule.slots())
    assert list(arena.needs) == [schedule.need(run) for run in runs]
    return arena


def arena_of(steps: Steps, slots: tuple[Slot, ...]) -> Arena:
    house = house_of(steps, slots)
    plan = best_of(house, 0)
    places = [(0, offset) for offset in plan.offsets]
    return Arena(slots, house, tuple(house.needs()), (Room("ram", 0, plan.bytes),), places, True, plan.planner)


def steps_from(plan: dict[str, Any]) -> Steps:
    """The steps of a plan of a lock."""
    own = {"name", "kernel", "inputs", "output", "nodes", "activation", "where"}
    return Steps(
        plan["input"],
        {name: tuple(tensor["shape"]) for name, tensor in plan["tensors"].items()},
        [
            Step(
                s["name"],
                s["kernel"],
                tuple(s["inputs"]),
                s["output"],
                (),
                {k: v for k, v in s.items() if k not in own},
            )
            for s in plan["steps"]
        ],
        {name: tuple(tensors) for name, tensors in plan["outputs"].items()},
        dict(plan["aliases"]),
    )

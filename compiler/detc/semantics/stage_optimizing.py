"""Whether the settings of a stage's optimiser, schedule and averages go together."""

from __future__ import annotations

from typing import Any

from detc.semantics.reading import Reader
from detc.semantics.stage_draft import Draft
from detc.semantics.stage_rules import ACCUMULATE, CONTRADICTION, NO_EFFECT, SCHEDULE


def check_optimizing(draft: Draft, at: Reader) -> None:
    """Reports what cannot be done (the stage is then left out), what changes nothing, and rates that surprise."""
    if draft.kind != "train" or draft.value("epochs") is None:
        return
    _check_step(draft, at)
    _check_effects(draft, at)
    _check_schedule(draft.value("schedule"), draft.value("epochs"), draft, at)


def _check_step(draft: Draft, at: Reader) -> None:
    def contradiction(key: str, problem: str, remedy: str) -> None:
        at.report(CONTRADICTION(draft.place(key), name=draft.name, problem=problem, remedy=remedy))
        draft.good = False

    batch, parts = draft.value("batch"), draft.value("accumulate")
    if batch % parts:
        at.report(ACCUMULATE(draft.place("accumulate"), name=draft.name, actual=parts, allowed=batch))
        draft.good = False
    optimizer = draft.value("optimizer")
    if optimizer["nesterov"] and not optimizer["momentum"]:
        contradiction("optimizer", "uses nesterov without momentum", "give `momentum = 0.9`, or leave `nesterov` out")
    start, epochs = draft.value("start_epoch"), draft.value("epochs")
    if start >= epochs:
        problem = f"begins with epoch {start} of {epochs}, so nothing is left to train"
        contradiction("start_epoch", problem, f"choose `start_epoch` below {epochs}")


def _check_effects(draft: Draft, at: Reader) -> None:
    def without_effect(key: str, reason: str, remedy: str) -> None:
        at.report(NO_EFFECT(draft.place(key), key=key, name=draft.name, reason=reason, remedy=remedy))

    if draft.value("ema_warmup") is not None and draft.value("ema") is None:
        without_effect("ema_warmup", "the stage averages no weights", "add `ema = 0.9998`")
    if draft.value("for_epochs") is None:
        for part in draft.family("lr."):
            frozen = next((p for p in draft.value("freeze") or () if part == p or part.startswith(p + ".")), None)
            if frozen is not None:
                without_effect(f"lr.{part}", f"`freeze = {frozen}` holds it still", "leave one of the two out")


def _check_schedule(schedule: dict[str, Any], epochs: int, draft: Draft, at: Reader) -> None:
    def surprise(problem: str, remedy: str) -> None:
        at.report(SCHEDULE(draft.place("schedule"), name=draft.name, problem=problem, remedy=remedy))

    warmup = schedule["warmup"]
    if warmup >= epochs:
        surprise(
            f"warms up for {warmup} epochs, and the stage has {epochs}", "warm up for fewer epochs, or train longer"
        )
        return
    late = [epoch for epoch in schedule.get("at") or () if epoch >= epochs - warmup]
    if late:
        after = f" after the warmup of {warmup}" if warmup else ""
        surprise(f"drops in epoch {late[0]}{after}, and the stage has {epochs}", "drop earlier, or train longer")
    half = schedule["t_max"]
    if half is not None and half < epochs - warmup:
        surprise(
            f"rises again after {half} epochs of the cosine: t_max is half its period",
            "leave `t_max` out to end at the floor",
        )

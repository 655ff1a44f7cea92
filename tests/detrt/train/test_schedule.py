"""Learning rates epoch by epoch."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from detrt.lock import Schedule
from detrt.train.schedule import learning_rate


def test_equals_the_vendors_default_schedule(shared: Path) -> None:
    vendor = json.loads((shared / "data/gti_vectors/lr_schedule.json").read_text())
    schedule = Schedule(
        name="step",
        every=vendor["step_size"],
        gamma=vendor["gamma"],
        warmup=vendor["warmup_epochs"],
        warmup_from=vendor["min_lr"],
    )
    expected = vendor["optimizer_lr_per_epoch"]
    found = [learning_rate(schedule, vendor["lr"], epoch, len(expected)) for epoch in range(len(expected))]
    assert found == pytest.approx(expected, rel=1e-15)


def test_multistep_drops_at_each_milestone_after_the_warmup() -> None:
    schedule = Schedule(name="multistep", milestones=[2, 3], gamma=0.5, warmup=1, warmup_from=0.0)
    assert [learning_rate(schedule, 8.0, epoch, 6) for epoch in range(6)] == [0.0, 8.0, 8.0, 4.0, 2.0, 2.0]


def test_cosine_ends_near_its_floor() -> None:
    schedule = Schedule(name="cosine", floor=0.1)
    rates = [learning_rate(schedule, 1.0, epoch, 100) for epoch in range(101)]
    assert rates[0] == 1.0
    assert rates[50] == pytest.approx(0.55)
    assert rates[100] == pytest.approx(0.1)


def test_yoloxwarmcos_is_that_of_yolox_at_every_step() -> None:
    def yolox(lr: float, ratio: float, total: int, warm: int, start: float, no_aug: int, step: int) -> float:
        """The formula of YOLOX@6ddff48 in its own terms: everything in steps."""
        low = lr * ratio
        if step <= warm:
            return (lr - start) * (step / warm) ** 2 + start
        if step >= total - no_aug:
            return low
        return low + 0.5 * (lr - low) * (1 + math.cos(math.pi * (step - warm) / (total - warm - no_aug)))

    steps, epochs = 7, 30
    schedule = Schedule(name="yoloxwarmcos", by="step", warmup=5, warmup_from=1e-4, floor=0.05)
    found = [learning_rate(schedule, 1e-2, step / steps, epochs, no_aug=4) for step in range(steps * epochs)]
    expected = [yolox(1e-2, 0.05, steps * epochs, steps * 5, 1e-4, steps * 4, step) for step in range(steps * epochs)]
    assert found == pytest.approx(expected, rel=1e-12)


def test_the_cosine_with_t_max_is_torchs() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8, eta_min=0.001)
    expected = []
    for _ in range(12):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    schedule = Schedule(name="cosine", floor=0.1, t_max=8)
    assert [learning_rate(schedule, 0.01, epoch, 12) for epoch in range(12)] == pytest.approx(expected, rel=1e-9)


def test_lavas_schedule_falls_to_its_share_and_counts_epochs() -> None:
    schedule = Schedule(name="lava", warmup=10, floor=0.01)
    rates = [learning_rate(schedule, 1e-4, epoch, 200) for epoch in range(201)]
    assert rates[0] == pytest.approx(1e-6)
    assert rates[100] == pytest.approx(1e-4 * (0.5 * 0.99 + 0.01))
    assert rates[200] == pytest.approx(1e-6)
    assert max(range(201), key=rates.__getitem__) == 10


@given(
    st.sampled_from(["constant", "step", "multistep", "cosine"]),
    st.integers(0, 20),
    st.integers(1, 60),
    st.floats(0, 1),
    st.integers(1, 10),
)
def test_rates_rise_in_the_warmup_and_never_after(
    name: str, warmup: int, epochs: int, floor: float, every: int
) -> None:
    schedule = Schedule(name=name, warmup=warmup, every=every, milestones=[every, 2 * every], floor=floor)
    rates = [learning_rate(schedule, 1e-3, epoch, epochs) for epoch in range(epochs)]
    assert all(0 <= rate <= 1e-3 for rate in rates)
    rising, after = rates[:warmup], rates[warmup:]
    assert rising == sorted(rising)
    assert after == sorted(after, reverse=True)

"""Learning rates epoch by epoch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
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

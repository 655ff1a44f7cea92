"""`--set` on a built project."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_detector import all_stages, lock

from detrt.errors import DetrtError
from detrt.lock import parse_lock
from detrt.train.overrides import apply_sets
from detrt.train.values import parse_value

LOCK = parse_lock(lock(all_stages()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-5", 1e-5),
        ("3", 3),
        ("-2.5", -2.5),
        ("600 epochs", 600),
        ("10 %", 0.1),
        ("1.5 points", 0.015),
        ("true", True),
        ("none", None),
        ("adamw", "adamw"),
        ('"a b"', "a b"),
        ("/data/blood cells", "/data/blood cells"),
        ("0.8 .. 1.2", [0.8, 1.2]),
        ("[1, 2, [3]]", [1, 2, [3]]),
        ("cosine(warmup = 3 epochs, floor = 0.01)", {"name": "cosine", "warmup": 3, "floor": 0.01}),
        ("", ""),
    ],
)
def test_values_are_spelled_as_in_a_spec(text: str, expected: Any) -> None:
    assert (
        parse_value(text) == pytest.approx(expected) if isinstance(expected, float) else parse_value(text) == expected
    )


def test_positional_arguments_of_pictures_are_what_they_look_like() -> None:
    assert parse_value("[flip(0.5), blur(0.1, kernel = 3), mosaic(0.5 .. 2, p = 1)]", "augment") == [
        {"name": "flip", "p": 0.5},
        {"name": "blur", "p": 0.1, "kernel": 3},
        {"name": "mosaic", "scale": [0.5, 2], "p": 1},
    ]
    assert parse_value("sizes(320 .. 640, step = 64)", "multiscale") == {
        "name": "sizes",
        "range": [320, 640],
        "step": 64,
    }


@given(st.text(max_size=40))
def test_any_text_is_a_value_or_an_error(text: str) -> None:
    with contextlib.suppress(DetrtError):
        parse_value(text)


@pytest.mark.parametrize(
    ("text", "look"),
    [
        (
            "train.steps.chip.lr=1e-5",
            lambda lock: (lock.stages[4].optimizer.lr, lock.stages[0].optimizer.lr) == (1e-5, 2e-3),
        ),
        ("train.steps.float.lr.conv1=1e-5", lambda lock: lock.stages[0].rates == {"conv1": 1e-5}),
        ("train.steps.batch=8", lambda lock: {stage.batch for stage in lock.stages} == {8}),
        (
            "train.steps.float.optimizer=sgd",
            lambda lock: lock.stages[0].optimizer.name == "sgd" and lock.stages[0].optimizer.lr == 2e-3,
        ),
        (
            "train.steps.float.schedule=step(every = 3)",
            lambda lock: lock.stages[0].schedule.every == 3 and lock.stages[0].schedule.warmup == 0,
        ),
        (
            "train.steps.float.schedule.warmup=2",
            lambda lock: lock.stages[0].schedule.name == "cosine" and lock.stages[0].schedule.warmup == 2,
        ),
        ("train.steps.float.early_stop=5 epochs", lambda lock: lock.stages[0].early_stop.patience == 5),
        ("train.steps.float.early_stop.patience=5", lambda lock: lock.stages[0].early_stop.patience == 5),
        ("train.steps.float.rescale=16", lambda lock: lock.stages[0].rescale.images == 16),
        ("train.steps.float.ema=none", lambda lock: lock.stages[0].ema is None),
        ("train.steps.float.noobj=0.1", lambda lock: lock.stages[0].loss["noobj"] == 0.1),
        ("train.steps.float.loss.noobj=0.1", lambda lock: lock.stages[0].loss["noobj"] == 0.1),
        ("train.steps.float.augment=[flip(0.2)]", lambda lock: lock.stages[0].augment == [{"name": "flip", "p": 0.2}]),
        ("data.shapes.root=/somewhere/else", lambda lock: lock.data["shapes"].root == "/somewhere/else"),
        ("head.conf=0.3", lambda lock: lock.model.heads[0].options["conf"] == 0.3),
    ],
)
def test_sets(text: str, look: Any) -> None:
    changed = apply_sets(LOCK, [text])
    assert look(changed)
    assert list(changed.spec.overrides) == [text.partition("=")[0]]
    assert LOCK.spec.overrides == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes=3", "changes the network"),
        ("model.width=2", "changes the network"),
        ("head.boxes=3", "changes the network"),
        ("train.steps.chip.quantize.weights=none", "changes the network"),
        ("train.steps.chip.lrr=1", "did you mean `lr`"),
        ("train.stps.chip.lr=1", "did you mean `steps`"),
        ("train.steps.flot.lr=1", "did you mean `float`"),
        ("data.shape.root=x", "did you mean `shapes`"),
        ("tran.steps.lr=1", "did you mean `train`"),
        ("train.steps.float.optimizer=rmsprop", "stages\\[0\\].optimizer.name"),
        ("train.steps.float.batch=0", "stages\\[0\\].batch"),
        ("train.steps.float.lr=fast", "stages\\[0\\].optimizer.lr"),
        ("train.steps.float.optimizer=[1]", "expected a name or a call"),
        ("train.steps.float.augment=[flip(", "train.steps|ends too early|lacks"),
        ("train.steps.float", "expected NAME=VALUE"),
    ],
)
def test_refuses(text: str, message: str) -> None:
    with pytest.raises(DetrtError, match=message):
        apply_sets(LOCK, [text])


def test_a_model_change_names_the_command() -> None:
    with pytest.raises(DetrtError) as caught:
        apply_sets(LOCK, ["classes=3"])
    assert "detc build tiny.det --set classes=3" in str(caught.value)

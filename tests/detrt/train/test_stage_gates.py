"""Gates: what passes, what fails, and what cannot be judged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from detrt.lock import Gate
from detrt.train.gates import judge

STAGES = {"steps.float": {"map50": 0.8, "map": 0.4, "loss": 1.0}, "steps.dead": {"map50": 0.0}}
NOW = {"map50": 0.74, "map": 0.39, "loss": 1.2}


def name(text: str) -> dict[str, Any]:
    return {"name": text}


def value(number: float | bool, unit: str | None = None) -> dict[str, Any]:
    return {"value": number, "unit": unit}


def op(left: dict[str, Any], sign: str, right: dict[str, Any]) -> dict[str, Any]:
    return {"op": sign, "left": left, "right": right}


def drop(since: str, metric: str = "map50") -> dict[str, Any]:
    return {"call": "drop", "args": [name(metric)], "kwargs": {"since": name(since)}}


def verdict(condition: dict[str, Any]) -> str:
    return judge(Gate(text="t", condition=condition, message="m"), NOW, STAGES).verdict


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (op(drop("steps.float"), "<=", value(0.1, "relative")), "passed"),  # 7.5 %
        (op(drop("steps.float"), "<=", value(0.07, "relative")), "failed"),
        (op(drop("steps.float"), "<=", value(0.07, "absolute")), "passed"),  # 6 points
        (op(drop("steps.float"), "<=", value(0.05, "absolute")), "failed"),
        (op(value(0.05, "absolute"), ">=", drop("steps.float")), "failed"),
        (op(name("map50"), ">=", value(0.7, "relative")), "passed"),
        (op(op(name("map50"), "-", name("map")), ">", value(0.3)), "passed"),
        (op(name("steps.float.map50"), ">", name("map50")), "passed"),
        (op({"call": "min", "args": [name("map50"), name("map")], "kwargs": {}}, "<", value(0.4)), "passed"),
        (op(op(name("loss"), "<", value(1.0)), "or", op(name("map"), ">", value(0.3))), "passed"),
        ({"op": "not", "operand": op(name("loss"), "<", value(1.0))}, "passed"),
        (op({"op": "neg", "operand": name("loss")}, "<", value(0)), "passed"),
        (value(False), "failed"),
    ],
)
def test_judges(condition: dict[str, Any], expected: str) -> None:
    assert verdict(condition) == expected


@pytest.mark.parametrize(
    "condition",
    [
        op(name("latency"), "<", value(1)),
        op(drop("steps.chip"), "<=", value(0.1, "relative")),
        op(drop("steps.dead"), "<=", value(0.1, "relative")),
        op(op(name("map"), "/", value(0)), "<", value(1)),
        name("map50"),
        {"call": "open", "args": [value(1)], "kwargs": {}},
        {"call": "drop", "args": [], "kwargs": {}},
        {"call": "abs", "args": [], "kwargs": {}},
        {"op": "**", "left": value(2), "right": value(3)},
        {"value": "text"},
    ],
)
def test_what_is_not_known_is_unjudged(condition: dict[str, Any]) -> None:
    assert verdict(condition) == "unjudged"


def test_the_line_shows_the_numbers_and_the_message() -> None:
    gate = Gate(
        text="drop(map50, since = float) <= 5 points",
        condition=op(drop("steps.float"), "<=", value(0.05, "absolute")),
        message="more epochs",
    )
    line = judge(gate, NOW, STAGES).line()
    assert (
        line
        == "gate failed: drop(map50, since = float) <= 5 points  (steps.float.map50 = 0.8, map50 = 0.74)\n  more epochs"
    )


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"op": "+"},
        {"op": ["+"], "left": value(1), "right": value(1)},
        {"call": "min", "args": 3, "kwargs": {}},
        {"name": 3},
        {"value": []},
    ],
)
def test_a_malformed_condition_is_refused_by_the_lock(condition: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Gate(text="t", condition=condition)


expressions = st.recursive(
    st.one_of(
        st.builds(
            value, st.one_of(st.floats(allow_nan=False), st.booleans()), st.sampled_from([None, "relative", "absolute"])
        ),
        st.builds(name, st.sampled_from(["map50", "loss", "steps.float.map", "x"])),
        st.builds(drop, st.sampled_from(["steps.float", "steps.dead", "none"])),
    ),
    lambda inner: st.one_of(
        st.builds(op, inner, st.sampled_from(["<=", "==", "+", "//", "%", "and", "or", "?"]), inner),
        st.builds(lambda e: {"op": "not", "operand": e}, inner),
        st.builds(lambda a: {"call": "abs", "args": a, "kwargs": {}}, st.lists(inner, max_size=2)),
    ),
    max_leaves=8,
)


@given(expressions)
def test_every_condition_gets_a_verdict(condition: dict[str, Any]) -> None:
    assert verdict(condition) in ("passed", "failed", "unjudged")

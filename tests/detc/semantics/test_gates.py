"""`require`: what is judged now, what later, and what never counts as passed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spec_texts import DATA, MODEL, codes, program_of, trained, under

from detc.compilation import compile_program
from detc.semantics.conditions import evaluate_condition
from detc.semantics.gates import judge
from detc.semantics.program import Gate

METRICS = {"params": 1000, "macs": 5000, "weight_bytes": 4096, "latency": None}


def gate(folder: Path, condition: str) -> Gate:
    program = program_of(folder, f'{MODEL}require {condition} else "make it smaller"\n')
    return program.gates[0]


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        ("params < 1e7", "passed"),
        ("params < 999", "failed"),
        ("weight_bytes <= 4 KiB", "passed"),
        ("weight_bytes + 1 <= 4 KiB", "failed"),
        ("params * 2 <= macs and weight_bytes > 0", "passed"),
        ("not params > 10", "failed"),
        ("max(params, weight_bytes) == 4096", "passed"),
        ("classes == 2", "passed"),
        ("params in [1000, 2000]", "passed"),
        ("params in 900 .. 1100", "passed"),
        ("params in 1 .. 10", "failed"),
        ("params in [1, 2]", "failed"),
        ("latency <= 40 ms", "unjudged"),
        ("map50 >= 60 %", "unjudged"),
        ("params < 10 and latency < 3", "failed"),
        ("params > 10 and latency < 3", "unjudged"),
        ("params > 10 or latency < 3", "passed"),
        ("params / 0 < 3", "unjudged"),
        ("abs(0 - params) == 1000", "passed"),
        ("clases == 2", "unjudged"),
    ],
)
def test_verdicts(tmp_path: Path, condition: str, verdict: str) -> None:
    judged, findings = judge([gate(tmp_path, condition)], METRICS)
    assert judged[0].verdict == verdict
    assert (not findings) == (verdict == "passed")


def test_what_failed_says_the_figures(tmp_path: Path) -> None:
    _, findings = judge([gate(tmp_path, "params < 999")], METRICS)
    assert findings[0].message == "the spec requires `params < 999`, and params is 1,000"
    assert findings[0].help == "make it smaller"


def test_unknown_names_are_errors_once_a_target_has_given_its_metrics(tmp_path: Path) -> None:
    unknown = gate(tmp_path, "weight_byte <= 4 KiB")
    assert [f.code for f in judge([unknown], METRICS)[1]] == ["GAT103"]
    assert judge([unknown], METRICS)[1][0].help == "did you mean `weight_bytes`?"
    assert [f.code for f in judge([unknown], {"params": 1, "macs": 1})[1]] == ["GAT102"]
    assert [f.code for f in judge([gate(tmp_path, "parms <= 4")], {"params": 1, "macs": 1})[1]] == ["GAT103"]


def test_gates_of_a_spec_are_judged_by_its_compilation(tmp_path: Path) -> None:
    text = f"{MODEL}{DATA}require params <= 10\nrequire map50 >= 50 %\ndeploy d on gti5801 {{ require weight_bytes <= 1 GiB }}\n"
    program = program_of(tmp_path, text)
    compile_program(program, None)
    assert [g.verdict for g in program.gates] == ["failed", "unjudged"]


def test_a_stage_keeps_its_gate_for_run_time(tmp_path: Path) -> None:
    program = program_of(
        tmp_path,
        trained("""
  stage float { epochs = 3 }
  stage chip  { start = float.best  epochs = 3
    require drop(map50, since = float) <= 10 % else "too much"
    require float.map50 - map50 <= 3 points and loss < 2 * classes }
"""),
    )
    first, second = program.stages[1].options["gates"]
    assert first["condition"] == {
        "op": "<=",
        "left": {"call": "drop", "args": [{"name": "map50"}], "kwargs": {"since": {"name": "steps.float"}}},
        "right": {"value": 0.1, "unit": "relative"},
    }
    assert first["text"] == "drop(map50, since = float) <= 10 %"
    difference, loss = second["condition"]["left"], second["condition"]["right"]
    assert difference["left"]["left"] == {"name": "steps.float.map50"}
    assert difference["right"] == {"value": 0.03, "unit": "absolute"}
    assert loss["right"] == {"value": 4, "unit": None}
    assert [f.code for f in program.findings] == ["GAT102", "GAT102"]


@pytest.mark.parametrize(
    ("condition", "code", "place"),
    [
        ("map50", "GAT104", "map50"),
        ("3 + 4", "GAT104", "3 + 4"),
        ("drop(map50, since = one) <= 3", "GAT106", "3"),
        ("drop(map50, since = two) <= 3 %", "GAT103", "two"),
        ("drop(map51, since = one) <= 3 %", "GAT105", "drop(map51, since = one)"),
        ("drop(map50) <= 3 %", "GAT105", "drop(map50)"),
    ],
)
def test_each_mistake_is_one_finding_at_its_place(tmp_path: Path, condition: str, code: str, place: str) -> None:
    program = program_of(tmp_path, trained(f"stage one {{ epochs = 3  require {condition} }}"))
    assert codes(program) == [code]
    finding = next(f for f in program.findings if f.code == code)
    assert under(program, finding) == place


VALUES = st.one_of(st.integers(-9, 9), st.booleans(), st.none(), st.text(max_size=2))
OPERATORS = st.sampled_from(["+", "-", "*", "/", "//", "<", "<=", "==", "!=", ">", ">=", "and", "or"])
CONDITIONS = st.recursive(
    st.one_of(
        st.builds(lambda v: {"value": v, "unit": None}, VALUES),
        st.sampled_from([{"name": "params"}, {"name": "latency"}, {"name": "map50"}]),
    ),
    lambda inner: st.one_of(
        st.builds(lambda op, a, b: {"op": op, "left": a, "right": b}, OPERATORS, inner, inner),
        st.builds(lambda op, a: {"op": op, "operand": a}, st.sampled_from(["not", "neg"]), inner),
        st.builds(
            lambda f, a: {"call": f, "args": a, "kwargs": {}},
            st.sampled_from(["min", "max", "abs"]),
            st.lists(inner, max_size=3),
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=50)
@given(CONDITIONS)
def test_any_condition_is_evaluated_without_a_crash(condition: dict[str, object]) -> None:
    """And what depends on a metric that is not there is never true by accident of its absence."""
    value = evaluate_condition(condition, {"params": 3, "latency": None})
    assert value is None or isinstance(value, (bool, int, float, str))

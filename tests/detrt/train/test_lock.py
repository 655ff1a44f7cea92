"""Reading spec.lock.json: what it gives, and what it refuses."""

from __future__ import annotations

import contextlib
import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_detector import all_stages, environment, lock

from detrt.lock import LockError, parse_lock, read_lock

LOCK = lock(all_stages())


def changed(path: str, value: Any) -> dict[str, Any]:
    """The lock with one value replaced; `path` as in `stages.0.batch`."""
    raw = copy.deepcopy(LOCK)
    place: Any = raw
    *front, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in front:
        place = place[part]
    place[last] = value
    return raw


def test_reads_stages_in_types(tmp_path: Path) -> None:
    path = tmp_path / "spec.lock.json"
    path.write_text(json.dumps(LOCK))
    found = read_lock(path)
    assert [stage.id for stage in found.stages] == [
        "steps.float",
        "steps.weights",
        "steps.measure",
        "steps.acts",
        "steps.chip",
    ]
    assert found.stages[0].optimizer.name == "adamw"
    assert found.stages[4].quantize.folded == "u5"
    assert found.stages[4].start is not None
    assert found.stages[4].start.stage == "steps.acts"
    assert found.model.classes() == ["disc", "square"]
    assert found.raw == LOCK


@pytest.mark.parametrize("schema", [0, 2, "1", None, True, [1]])
def test_refuses_unknown_schemas(schema: object) -> None:
    with pytest.raises(LockError, match="reads schema 1"):
        parse_lock(changed("schema", schema))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("stages.0.batch", 0, r"stages\[0\]\.batch"),
        ("stages.0.optimizer.name", "lion", r"stages\[0\]\.optimizer\.name"),
        ("stages.1.schedule.floor", 2, r"stages\[1\]\.schedule\.floor"),
        ("stages.0.ema", 1.0, r"stages\[0\]\.ema"),
        ("stages.0.model", "other", "unknown model 'other'"),
        ("stages.0.data", "other", "unknown data 'other'"),
        ("stages.1.start.stage", "steps.none", "needs 'steps.none', which is no earlier stage"),
        ("stages.0.start", {"stage": "steps.chip", "which": "best"}, "which is no earlier stage"),
        ("stages.1.id", "steps.float", "has the id of an earlier stage"),
        ("model.input.shape", [3, 28], r"model\.input\.shape"),
        ("model.input.encoding.kind", "u6", r"model\.input\.encoding\.kind"),
        ("model.nodes", "conv", r"model\.nodes"),
        ("data", [], "data"),
    ],
)
def test_names_the_key_at_fault(path: str, value: object, message: str) -> None:
    with pytest.raises(LockError, match=message):
        parse_lock(changed(path, value))


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_refuses_what_is_no_lock(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "spec.lock.json"
    path.write_bytes(content)
    with pytest.raises(LockError):
        read_lock(path)


def test_says_how_to_write_a_missing_one(tmp_path: Path) -> None:
    with pytest.raises(LockError) as caught:
        read_lock(tmp_path / "spec.lock.json")
    assert "detc build" in str(caught.value)


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([]), st.just({}))
PATHS = [
    "spec",
    "model.name",
    "model.heads",
    "model.outputs",
    "stages",
    "stages.0",
    "stages.0.start",
    "stages.0.loss",
    "stages.0.epochs",
    "stages.2.calibrate",
    "stages.3.quantize",
    "target",
    "plan",
    "gates",
]


@given(st.sampled_from(PATHS), LEAVES)
def test_any_value_is_read_or_refused(path: str, value: object) -> None:
    with contextlib.suppress(LockError):
        parse_lock(changed(path, value))


def test_the_package_loads_without_torch() -> None:
    program = "import sys, detrt.train, detrt.lock, detrt.train.options; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], env=environment(), check=False).returncode == 0

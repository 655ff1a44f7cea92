"""Services in a chain, the list of runs, and the names that runs may have."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detc.cli import main
from detc.commands.eval import _suggestion

pytest.importorskip("torch")
pytest.importorskip("cv2")

from test_whole_way import SPEC

from detrt.data.root_folder import base_of
from detrt.errors import DetrtError
from detrt.train.run_names import expanded, matching, problem_of

NOW = datetime(2026, 1, 31, 23, 59, 58)


def test_a_pattern_names_a_run() -> None:
    assert expanded("{spec}-{time}", "my net", NOW, []) == "my-net-2026-01-31-235958"
    assert expanded("{date}_{number}", "a", NOW, ["2026-01-30_3", "2026-01-31_1", "other"]) == "2026-01-31_4"
    assert matching("{date}_{number}", "a", ["2026-01-30_3", "x_1", "2026-01-30_3b"]) == ["2026-01-30_3"]


@pytest.mark.parametrize(
    "pattern", ["", "../x", "a/b", ".hidden", "{user}", "{spec", "a}", "x" * 200, "{time.__class__}"]
)
def test_what_names_no_folder_is_refused(pattern: str) -> None:
    assert problem_of(pattern) is not None


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_name_that_is_accepted_is_one_folder(pattern: str, spec: str) -> None:
    if problem_of(pattern) is None:
        name = expanded(pattern, spec, NOW, [])
        assert name and "/" not in name and "\0" not in name and name not in (".", "..")


def test_a_threshold_is_suggested_only_where_something_was_found() -> None:
    assert (
        _suggestion(0.5, 1.0, 2 / 3, 0.3) == "suggested score threshold 0.30: precision 0.500, recall 1.000, F1 0.667"
    )
    for f1 in (0.0, float("nan")):
        assert "no score threshold" in _suggestion(0.0, 0.0, f1, 0.5)


def test_a_missing_data_set_names_each_place_once(tmp_path: Path) -> None:
    with pytest.raises(DetrtError) as refused:
        base_of({"root": "gone"}, "cells", [tmp_path, tmp_path / "build", tmp_path])
    assert refused.value.message.count(str(tmp_path / "gone")) == 1


def write_run(build: Path, name: str, map50: float, **params: object) -> None:
    (build / "runs" / name).mkdir(parents=True)
    (build / "spec.lock.json").write_text("{}")
    stage = {"name": "float", "kind": "train", "seconds": 60, "epochs": 3, "seed": 1, "final": {"map50": map50}}
    spec = {"name": "x", "sha256": "0" * 64, "params": params, "overrides": {}}
    result = {
        "schema": 1,
        "verdict": "finished",
        "spec": spec,
        "stages": [stage],
        "versions": {"torch": "2"},
        "data": {},
    }
    (build / "runs" / name / "result.json").write_text(json.dumps(result))


def test_runs_are_listed_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = tmp_path / "build"
    write_run(build, "one", 0.5, width=0.25)
    write_run(build, "two", 0.75, width=0.5)
    assert main(["runs", str(build)]) == 0
    assert "build/one  0.5000  1.0" in capsys.readouterr().out
    assert main(["runs", str(build), "one", "two"]) == 0
    shown = capsys.readouterr().out
    assert "param width  0.25  0.5" in " ".join(shown.split("differs in")[1].split()).replace(
        "0.25 0.5", "0.25  0.5"
    ).replace("param width ", "param width  ")
    assert "version of torch" not in shown
    assert main(["runs", str(build), "three"]) == 1
    (build / "runs" / "two" / "result.json").write_text("[")
    assert main(["runs", str(build)]) == 1
    assert main(["runs", str(build), "--format", "json"]) == 1


@pytest.mark.long
def test_a_chain_trains_quantises_deploys_and_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import cv2
    import numpy as np

    monkeypatch.chdir(tmp_path)
    Path("tiny.det").write_text(SPEC)
    Path("pictures").mkdir()
    cv2.imwrite("pictures/a.png", np.full((40, 60, 3), 128, np.uint8))
    command = ["build", "tiny.det", "--target", "gti5801", "-q", "--device", "cpu"]
    assert main([*command, "--evaluate"]) == 1
    assert "nothing is trained yet" in capfd.readouterr().err
    assert main([*command, "--train"]) == 0
    build = Path("build/tiny-gti5801")
    assert {path.name for path in (build / "runs" / "1").iterdir() if path.is_dir()} == {"float"}
    assert main([*command, "--quantize", "--deploy", "--evaluate", "--predict", "pictures", "--benchmark"]) == 0
    assert {path.name for path in (build / "runs").iterdir()} == {"1"}
    assert (build / "artifacts" / "chip.dat").is_file() and (build / "evaluation" / "index.html").is_file()
    assert (build / "detections" / "detections.json").is_file()
    timings = json.loads((build / "benchmark.json").read_text())["timings"]
    assert len(timings) == 2 and all(t["median_ms"] >= t["least_ms"] > 0 for t in timings)
    shown = capfd.readouterr().out
    assert (
        shown.index("== quantize") < shown.index("== deploy") < shown.index("== evaluate") < shown.index("== benchmark")
    )
    assert "tensorboard --logdir" in shown

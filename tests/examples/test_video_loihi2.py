"""Moving shapes on Loihi 2: the recorded run scores again what it says, and the example runs from end to end."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "video-loihi2"
RECORDED = EXAMPLE / "recorded"


def detc(*words: str | Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "detc", *map(str, words)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def finals() -> dict[str, dict[str, float]]:
    result: dict[str, Any] = json.loads((RECORDED / "result.json").read_text())
    return {stage["name"]: stage["final"] for stage in result["stages"]}


def test_the_record_keeps_its_promises() -> None:
    stages, artifact = finals(), json.loads((RECORDED / "artifact.json").read_text())
    for key in ("map50", "map", "map50/disc", "map50/square", "map50/triangle"):
        assert artifact["figures"][key] == stages["events"][key], "whole numbers all the way: no tolerance"
    assert artifact["events"]["events_per_frame"] == pytest.approx(stages["events"]["events"], abs=1e-3)
    assert stages["dense"]["map50"] > 0.9 and stages["dense"]["map50"] - stages["events"]["map50"] < 0.03
    video = json.loads((RECORDED / "video.json").read_text())
    assert video["frames"] == 120 and video["event_rate"] < 0.05


def test_the_readme_shows_what_is_recorded() -> None:
    spec = importlib.util.spec_from_file_location("video_loihi2_run", EXAMPLE / "run.py")
    assert spec is not None and spec.loader is not None
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    assert f"<!-- figures -->\n{run.table()}\n<!-- end -->" in readme
    assert (RECORDED / "cores.txt").read_text(encoding="utf-8").strip() in readme


@pytest.mark.long
def test_the_recorded_checkpoint_scores_what_the_record_says(tmp_path: Path) -> None:
    build = tmp_path / "build"
    detc("build", EXAMPLE / "moving.det", "--build", build)
    shutil.copytree(RECORDED, build / "runs" / "recorded")
    detc("export", build, "--name", "recorded", "--stage", "events")
    detc("eval", build / "artifacts", "-o", tmp_path / "artifact.json")
    found = json.loads((tmp_path / "artifact.json").read_text())
    expected = json.loads((RECORDED / "artifact.json").read_text())
    assert {key: found[key] for key in expected} == expected


@pytest.mark.long
def test_the_smoke_run_reaches_its_end(tmp_path: Path) -> None:
    out = tmp_path / "with space"
    command = [sys.executable, str(EXAMPLE / "run.py"), "--smoke", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert len(json.loads((out / "detections" / "detections.json").read_text())["frames"]) == 24
    assert (out / "detections" / "moving.mp4").is_file() and (out / "detections" / "events.png").is_file()
    result = json.loads((out / "project" / "runs" / "run" / "result.json").read_text())
    assert [stage["name"] for stage in result["stages"]] == ["dense", "events", "sparse"]

"""The examples run from beginning to end on a few pictures made by code."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.long
@pytest.mark.parametrize("name", ["voc-yolov1", "coco-ssdlite", "coco-st-yolod"])
def test_the_smoke_run_reaches_its_end(name: str, tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / name / "run.py"), "--smoke", "--out", str(tmp_path / "with space")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    out = tmp_path / "with space"
    assert (out / "report" / "index.html").is_file()
    assert len(json.loads((out / "detections" / "detections.json").read_text())["pictures"]) == 4
    result = json.loads((out / "project" / "runs" / "run" / "result.json").read_text())
    assert result["verdict"] == "finished"


@pytest.mark.long
def test_the_story_of_a_pruned_net_in_time_reaches_its_table(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "bdd-loihi2" / "run.py"), "--smoke", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    result = json.loads((tmp_path / "project" / "runs" / "run" / "result.json").read_text())
    figures = {stage["id"]: stage["final"] for stage in result["stages"]}
    assert "events" not in figures["pretrain.dense"]
    table = (tmp_path / "table.md").read_text().splitlines()[2:]
    for line, stage in zip(table, ("wide.classes", "half.cut", "half.tune"), strict=True):
        assert f"| {figures[stage]['map50']:.3f} |" in line and f"| {figures[stage]['events']:,.0f} |" in line
        assert 0 < figures[stage]["event_rate"] < 1 and figures[stage]["synops"] > 0
    wide, cut, tuned = (line.split(" | ") for line in table)
    assert wide[2] == "1.41 M" and cut[2] == tuned[2] == "0.38 M"


def test_the_readme_of_the_story_shows_what_is_recorded() -> None:
    folder = EXAMPLES / "bdd-loihi2"
    spec = importlib.util.spec_from_file_location("bdd_loihi2_table", folder / "table.py")
    assert spec is not None and spec.loader is not None
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    rows = json.loads((folder / "recorded" / "shapes.json").read_text(encoding="utf-8"))
    assert f"<!-- recorded -->\n{table.markdown(rows)}\n<!-- end -->" in (folder / "README.md").read_text(
        encoding="utf-8"
    )
    wide, cut, tuned = rows
    assert tuned["map50"] > cut["map50"] and tuned["macs"] * 3 < wide["macs"] and tuned["cores"] < wide["cores"]

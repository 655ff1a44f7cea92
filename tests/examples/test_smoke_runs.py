"""The examples run from beginning to end on a few pictures made by code."""

from __future__ import annotations

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

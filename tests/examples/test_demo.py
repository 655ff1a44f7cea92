"""The demo, whole: on at least 8 of 10 pictures that no stage has seen, the simulated chip finds an object where one is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from detrt.data.opening import open_dataset
from detrt.heads.nms import iou_matrix

EXAMPLES = Path(__file__).parents[2] / "examples"
WORDS = {"format": "voc", "root": "pictures", "classes": ["disc", "square", "triangle"], "test": {"split": "test"}}


@pytest.mark.long
def test_the_demo_detects_on_unseen_pictures(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "demo" / "demo.py"), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]

    truth = {picture.id: picture.annotation for picture in open_dataset(WORDS, "test", tmp_path)}
    found = json.loads((tmp_path / "detections" / "detections.json").read_text())["pictures"]
    assert len(found) == 10
    hits = 0
    for row in found:
        annotation = truth[Path(row["file"]).stem]
        for detection in row["detections"]:
            same = annotation.labels == detection["label"]
            box = np.asarray([detection["box"]], np.float32)
            if same.any() and iou_matrix(box, annotation.boxes[same]).max() >= 0.5:
                hits += 1
                break
    assert hits >= 8, f"{hits} of 10"

    for name in ("index.html", "project/report.html", "project/model.py", "project/artifacts/chip.dat"):
        assert (tmp_path / name).is_file() and str(tmp_path / name.split("/")[0]) in done.stdout
    assert len(list((tmp_path / "detections").glob("*.png"))) == 10

"""The sheet of predictions beside the best checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from detrt.data.opening import open_dataset
from detrt.heads.detections import Detections
from detrt.train.sheets import SHOWN, SIDE, detection_sheet

DATA = {
    "format": "synthetic",
    "classes": ["disc", "square"],
    "val": {"images": 30, "seed": 1},
    "options": {"size": [96, 48], "objects": [1, 2]},
}


def test_a_sheet_shows_what_was_found_and_what_is_there(tmp_path: Path) -> None:
    dataset = open_dataset(DATA, "val", tmp_path)
    nothing = [Detections.none()] * len(dataset)
    box = np.array([[0.1, 0.1, 0.9, 0.9]] * 3, np.float32)
    something = [Detections(box, np.array([0.9, 0.5, 0.1], np.float32), np.array([0, 1, 1]))] * len(dataset)
    empty, full = (detection_sheet(dataset, found, dataset.classes) for found in (nothing, something))
    assert empty.shape == full.shape and full.shape[1] > 3 * SIDE and SHOWN == 12
    assert (empty != full).any() and np.array_equal(full, detection_sheet(dataset, something, dataset.classes))

"""A task whose net reads letterboxed or cropped pictures: targets lie on the canvas, detections on the pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_detector import lock

from detrt.heads.detections import Detections
from detrt.lock import parse_lock
from detrt.train.task import DetectionTask


@pytest.mark.parametrize("mode", ["stretch", "letterbox", "crop"])
def test_what_is_found_on_the_canvas_is_scored_on_the_picture(tmp_path: Path, mode: str) -> None:
    raw = lock([])
    raw["model"]["input"]["resize"] = {"mode": mode, "interpolation": "area", "pad": 0, "place": "center"}
    raw["data"]["shapes"]["options"]["size"] = [64, 40]
    task = DetectionTask(parse_lock(raw), "tiny", "shapes", [tmp_path], torch.device("cpu"))
    (batch,) = task.plain_loader("val", batch=8, rank=0, world=1, workers=0)
    assert batch.sizes == [(64, 40)] * 5
    on_canvas = [
        Detections(boxes.numpy(), np.ones(len(labels), np.float32), labels.numpy())
        for boxes, labels in zip(batch.boxes, batch.labels, strict=True)
    ]
    task._target_maker.decode = lambda outputs: on_canvas
    found = dict(task.decode(None, batch))
    if mode == "crop":  # what lies in the middle 40 of 64 pixels; the rest cannot be seen
        boxes = np.concatenate([found[picture.id].pixels(64, 40) for picture in task.dataset("val")])
        assert len(boxes) and boxes[:, 0].min() >= 12 - 1e-3 and boxes[:, 2].max() <= 52 + 1e-3
        return
    for picture in task.dataset("val"):
        np.testing.assert_allclose(found[picture.id].pixels(64, 40), picture.annotation.boxes, atol=1e-3)
    assert task.score("val", list(found.items()), "coco")["map"] > 0.999

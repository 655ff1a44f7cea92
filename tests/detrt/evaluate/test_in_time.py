"""Videos of a split are seen one after the other, each from new states on."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from detrt.data import open_dataset
from detrt.data.sample import Image
from detrt.errors import DetrtError
from detrt.evaluate.in_time import watch_all, watches
from detrt.evaluate.score import evaluate
from detrt.heads.detections import Detections
from detrt.stream import Events


def shapes(frames: int | None) -> dict[str, object]:
    options = {"size": [64, 48], "objects": [1, 2]} | ({"frames": frames, "steps": 4} if frames else {})
    return {"format": "synthetic", "val": {"images": 18, "seed": 2}, "options": options}


class Counter:
    """Says in the score how many frames of its video it has seen when the frame goes in; two steps late."""

    neurons: ClassVar = {"input": 10}
    late: ClassVar = {"input": 0}
    latency = 2

    def __init__(self) -> None:
        self.seen = 0

    def step(self, frame: Image) -> tuple[Detections | None, Events]:
        self.seen += 1
        score = (self.seen - 2) / 100
        box = np.array([[0, 0, 1, 1]], np.float32)
        found = Detections(box, np.array([score], np.float32), np.array([0]))
        return found if self.seen > 2 else None, {"input": self.seen}


class Watcher:
    name, kind, classes, whole = "watcher", "test", ("disc", "square", "triangle"), False
    stream = Counter

    def detect(self, image: Image) -> Detections:
        return Detections.none()


def test_every_frame_of_every_video_is_found_and_counted(tmp_path: Path) -> None:
    dataset = open_dataset(shapes(6), "val", tmp_path)
    assert watches(Watcher(), dataset)
    done: list[int] = []
    found, record = watch_all(Watcher(), dataset, done.append)
    assert [round(100 * float(one.scores[0])) for one in found] == [1, 2, 3, 4, 5, 6] * 3
    assert (record.frames, record.mean, record.dense, done[-1]) == (18, 3.5, 10, 18)
    assert evaluate(Watcher(), dataset).detections == 18


def test_pictures_are_not_watched(tmp_path: Path) -> None:
    dataset = open_dataset(shapes(None), "val", tmp_path)
    assert not watches(Watcher(), dataset)
    assert evaluate(Watcher(), dataset).detections == 0
    with pytest.raises(DetrtError, match="no videos"):
        watch_all(Watcher(), dataset)

"""COCO scoring of 5,000 pictures and 500,000 detections against pycocotools on the same boxes: CPU seconds and their ratio."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from detrt.data.sample import Annotation, DataSet, Picture
from detrt.evaluate.coco import score_coco
from detrt.evaluate.report import analyse
from detrt.evaluate.result import Result
from detrt.heads.detections import Detections

PICTURES, CLASSES, FOUND = 5000, 80, 100
SIDE = 640


def made_up() -> tuple[DataSet, list[Detections]]:
    """About 7 boxes and 100 detections a picture: some near a box, the rest anywhere."""
    rng = np.random.default_rng(0)
    pictures, detections = [], []
    for number in range(PICTURES):
        count = int(rng.integers(1, 14))
        corner = rng.uniform(0, SIDE - 60, (count, 2))
        boxes = np.concatenate([corner, np.minimum(corner + rng.gamma(2, 50, (count, 2)) + 2, SIDE)], axis=1)
        labels = rng.integers(0, CLASSES, count)
        annotation = Annotation.of(boxes.tolist(), labels.tolist(), (rng.random(count) < 0.01).tolist())
        pictures.append(Picture(str(number), Path(f"{number}.jpg"), SIDE, SIDE, annotation))
        source = rng.integers(0, count, FOUND)
        near = boxes[source] + rng.normal(0, 14, (FOUND, 4))
        near = np.concatenate([np.minimum(near[:, :2], near[:, 2:]), np.maximum(near[:, :2], near[:, 2:])], axis=1)
        own = np.where(rng.random(FOUND) < 0.5, labels[source], rng.integers(0, CLASSES, FOUND))
        scores = rng.random(FOUND).astype(np.float32)
        detections.append(Detections((np.clip(near, 0, SIDE) / SIDE).astype(np.float32), scores, own))
    names = tuple(f"class{i}" for i in range(CLASSES))
    blank = np.zeros((SIDE, SIDE, 3), np.uint8)
    return DataSet("made up", "val", names, tuple(pictures), lambda _: blank, on_disk=False), detections


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


if __name__ == "__main__":
    dataset, detections = made_up()
    ours, result = timed(lambda: score_coco(dataset, detections))
    theirs, reference = timed(lambda: score_coco(dataset, detections, "pycocotools"))
    start = time.process_time()
    analyse(dataset, detections, result)
    curves = time.process_time() - start
    assert result.summary is not None and reference.summary is not None
    apart = max(abs((result.summary[name] or 0) - (reference.summary[name] or 0)) for name in result.summary)
    print(
        json.dumps(
            {
                "pictures": PICTURES,
                "detections": PICTURES * FOUND,
                "seconds": round(ours, 2),
                "pycocotools_seconds": round(theirs, 2),
                "ratio": round(theirs / ours, 2),
                "largest_difference_of_12": apart,
                "curves_and_confusion_seconds": round(curves, 2),
            }
        )
    )

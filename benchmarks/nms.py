"""Suppression at 3,000 boxes against OpenCV's, on the same boxes in the same run; what both keep must be the same.

`ratio` is ours over `cv2.dnn.NMSBoxesBatched`, wall seconds in one thread, the least of some runs. `crowded` boxes lie in 40
clusters, as a detector's do; of `apart` boxes nearly all stay, the worst case of any greedy suppression.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from detrt.heads.nms import nms, select

COUNT = 3000
RUNS = 15
THRESHOLD = 0.5


def crowded(rng: np.random.Generator) -> np.ndarray:
    around = rng.integers(0, 40, COUNT)
    centre = rng.random((40, 2))[around] + rng.normal(0, 0.02, (COUNT, 2))
    return corners(centre, rng.uniform(0.05, 0.4, (40, 2))[around] * rng.uniform(0.8, 1.2, (COUNT, 2)))


def apart(rng: np.random.Generator) -> np.ndarray:
    return corners(rng.random((COUNT, 2)), rng.uniform(0.01, 0.03, (COUNT, 2)))


def corners(centre: np.ndarray, size: np.ndarray) -> np.ndarray:
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1).astype(np.float32)


def least(*works: Callable[[], Any]) -> list[float]:
    """The least wall seconds of each; they take turns, so that all meet the same machine."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(RUNS):
        for work, own in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            own.append(time.perf_counter() - start)
    return [min(own) for own in times]


def compared(boxes: np.ndarray, classes: int, rng: np.random.Generator) -> dict[str, float]:
    scores, labels = rng.random(COUNT).astype(np.float32), rng.integers(0, classes, COUNT)
    sized = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).astype(np.float64)
    labels32 = labels.astype(np.int32)
    ours, peer, plain = least(
        lambda: select(boxes, scores, labels, nms=THRESHOLD, max_detections=COUNT),
        lambda: cv2.dnn.NMSBoxesBatched(sized, scores, labels32, 0.0, THRESHOLD),
        lambda: nms(boxes, scores, THRESHOLD, labels),
    )
    kept = select(boxes, scores, labels, nms=THRESHOLD, max_detections=COUNT)
    expected = np.asarray(cv2.dnn.NMSBoxesBatched(sized, scores, labels32, 0.0, THRESHOLD)).reshape(-1)
    if not np.array_equal(kept.boxes, boxes[expected]):
        raise SystemExit("OpenCV keeps other boxes")
    return {
        "kept": len(kept),
        "select": round(ours, 5),
        "opencv": round(peer, 5),
        "one_by_one": round(plain, 5),
        "ratio": round(ours / peer, 2),
    }


def main() -> None:
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    cases = {
        f"{make.__name__}_{classes}": compared(make(rng), classes, rng)
        for make in (crowded, apart)
        for classes in (1, 80)
    }
    print(
        json.dumps(
            {
                "boxes": COUNT,
                "opencv_version": cv2.__version__,
                "ratio": max(c["ratio"] for c in cases.values()),
                **cases,
            }
        )
    )


if __name__ == "__main__":
    main()

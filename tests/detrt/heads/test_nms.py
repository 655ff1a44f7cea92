"""Suppression against a plain reading of its definition, and against OpenCV's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detrt.heads.nms import iou_matrix, nms


def boxes_of(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 40, (count, 2))
    boxes = np.concatenate([corner, corner + rng.integers(1, 40, (count, 2))], axis=1).astype(np.float32)
    return boxes, rng.integers(0, 50, count).astype(np.float32) / 50, rng.integers(0, 3, count)


def plainly(boxes: np.ndarray, scores: np.ndarray, threshold: float, labels: np.ndarray | None) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        rivals = [j for j in kept if labels is None or labels[i] == labels[j]]
        if all(iou_matrix(boxes[i : i + 1], boxes[j : j + 1])[0, 0] <= threshold for j in rivals):
            kept.append(i)
    return kept


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.booleans())
def test_equal_to_the_definition(seed: int, count: int, threshold: float, per_class: bool) -> None:
    boxes, scores, labels = boxes_of(seed, count)
    chosen = labels if per_class else None
    assert nms(boxes, scores, threshold, chosen).tolist() == plainly(boxes, scores, threshold, chosen)


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_opencv(seed: int) -> None:
    boxes, _, _ = boxes_of(seed, 200)
    scores = np.random.default_rng(seed).permutation(200).astype(np.float32) / 200 + 0.01
    corner_and_size = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    expected = cv2.dnn.NMSBoxes(corner_and_size.tolist(), scores.tolist(), 0.0, 0.45)
    assert nms(boxes, scores, 0.45).tolist() == list(np.asarray(expected).reshape(-1))


def test_the_threshold_itself_does_not_suppress() -> None:
    boxes = np.array([[0, 0, 2, 1], [0, 0, 1, 1]], np.float32)  # IoU exactly 0.5
    assert nms(boxes, np.array([0.9, 0.8], np.float32), 0.5).tolist() == [0, 1]
    assert nms(boxes, np.array([0.9, 0.8], np.float32), 0.49).tolist() == [0]


def test_empty_boxes_and_foreign_scores() -> None:
    nothing = np.zeros((3, 4), np.float32)
    assert nms(nothing, np.array([0.1, np.nan, 0.3], np.float32), 0.5).tolist() == [2, 0]
    assert nms(nothing[:0], np.zeros(0, np.float32), 0.5).tolist() == []

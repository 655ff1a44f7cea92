"""Suppression against a plain reading of its definition, and against OpenCV's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detrt.heads.nms import iou_matrix, nms, select


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


def awkward(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes on a coarse grid, some empty or inside out, some of size 1e-20; scores with many ties and some NaN."""
    rng = np.random.default_rng(seed)
    boxes = rng.integers(0, 6, (count, 4)).astype(np.float32) / np.float32(rng.choice([1.0, 3.0, 1e20]))
    proper = rng.random(count) < 0.7
    boxes[proper] = np.concatenate([boxes[proper, :2], boxes[proper, :2] + boxes[proper, 2:]], axis=1)
    scores = (rng.integers(0, 5, count) / 5).astype(np.float32)
    scores[rng.random(count) < 0.1] = np.nan
    return boxes, scores, rng.integers(0, 3, count)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 1, 2, 30, 63, 64, 65, 300]),
    st.sampled_from([0.0, 1 / 3, 0.5, 1.0]),
    st.booleans(),
    st.sampled_from([1, 3, 1000]),
    st.sampled_from([-1.0, 0.0, 0.4]),
)
def test_selection_in_blocks_keeps_what_the_definition_keeps(
    seed: int, count: int, threshold: float, agnostic: bool, most: int, score: float
) -> None:
    boxes, scores, labels = awkward(seed, count)
    found = select(boxes, scores, labels, nms=threshold, agnostic=agnostic, max_detections=most, score=score)
    entered = np.flatnonzero(scores > score)
    kept = entered[nms(boxes[entered], scores[entered], threshold, None if agnostic else labels[entered])][:most]
    assert np.array_equal(found.boxes, boxes[kept])
    assert np.array_equal(found.scores, scores[kept])
    assert np.array_equal(found.labels, labels[kept])


@pytest.mark.parametrize("seed", range(3))
def test_selection_per_class_is_equal_to_opencv(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centre, size = rng.random((1000, 2)), rng.uniform(0.05, 0.3, (1000, 2))
    boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1).astype(np.float32)
    scores, labels = rng.permutation(1000).astype(np.float32) / 1000, rng.integers(0, 4, 1000)
    corner_and_size = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    expected = cv2.dnn.NMSBoxesBatched(corner_and_size, scores, labels.astype(np.int32), 0.0, 0.5)
    found = select(boxes, scores, labels, nms=0.5, max_detections=1000)
    assert np.array_equal(found.boxes, boxes[np.asarray(expected)])


def softly(
    boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, threshold: float, agnostic: bool, soft: str, score: float
) -> list[tuple[int, np.float32]]:
    """A plain reading of Soft-NMS: (index, lowered score) in the order in which they are taken."""
    now = {i: s for i, s in enumerate(scores) if s > score}
    taken: list[tuple[int, np.float32]] = []
    while now:
        best = max(now, key=lambda i: (now[i], scores[i], -i))
        taken.append((best, now.pop(best)))
        for i in list(now):
            overlap = iou_matrix(boxes[i : i + 1], boxes[best : best + 1])[0, 0]
            if agnostic or labels[i] == labels[best]:
                if soft == "gaussian":
                    now[i] *= np.exp(-overlap * overlap / np.float32(0.5))
                elif overlap > threshold:
                    now[i] *= 1 - overlap
            if now[i] <= np.float32(score):
                del now[i]
    return taken


@pytest.mark.parametrize("soft", ["linear", "gaussian"])
@given(st.integers(0, 2**32 - 1), st.integers(0, 25), st.booleans())
@settings(max_examples=40)
def test_soft_suppression_equals_its_definition(soft: str, seed: int, count: int, agnostic: bool) -> None:
    rng = np.random.default_rng(seed)
    boxes, _, labels = boxes_of(seed, count)
    scores = rng.random(count).astype(np.float32)
    expected = softly(boxes, scores, labels, 0.3, agnostic, soft, 0.05)
    found = select(boxes, scores, labels, nms=0.3, agnostic=agnostic, soft=soft, max_detections=1000, score=0.05)
    np.testing.assert_allclose(found.scores, [s for _, s in expected], rtol=1e-4)
    assert np.array_equal(found.boxes, boxes[[i for i, _ in expected]])
    assert (np.diff(found.scores) <= 0).all()


def test_limits_and_boxes_that_are_not_finite() -> None:
    boxes = np.array([[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, np.inf], [np.nan, 0, 1, 1], [6, 6, 7, 7]], np.float32)
    scores, labels = np.array([0.5, 0.9, 0.8, 0.7, 0.6], np.float32), np.zeros(5, np.int64)
    assert select(boxes, scores, labels, nms=0.5).boxes[:, 0].tolist() == [2, 6, 0]
    assert select(boxes, scores, labels, nms=0.5, candidates=2).boxes[:, 0].tolist() == [2, 6]
    assert select(boxes, scores, labels, nms=0.5, max_detections=1).boxes[:, 0].tolist() == [2]
    assert select(boxes, scores, labels, nms=0.5, score=0.6).boxes[:, 0].tolist() == [2]
    assert len(select(boxes[:0], scores[:0], labels[:0], nms=0.5, soft="linear")) == 0

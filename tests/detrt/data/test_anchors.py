"""Anchors by k-means over 1 - IoU."""

from __future__ import annotations

from pathlib import Path

import format_makers as make
import numpy as np
import pytest

from detrt.data import open_dataset
from detrt.data.anchors import find_anchors, judged, overlaps, sizes_at
from detrt.errors import DetrtError


def test_clusters_are_found() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[10, 20], [40, 35], [120, 60]], float)
    sizes = np.concatenate([c * rng.uniform(0.95, 1.05, (200, 2)) for c in centres])
    found = find_anchors(sizes, 3, seed=1)
    np.testing.assert_allclose(found.sizes, centres, rtol=0.02)
    assert found.mean_iou > 0.93 and found.covered == 1 and found.boxes == 600
    assert np.array_equal(find_anchors(sizes, 3, seed=1).sizes, found.sizes)
    assert judged(sizes, centres[:2]).mean_iou < found.mean_iou


def test_iou_of_sizes() -> None:
    assert overlaps(np.array([[2.0, 3.0]]), np.array([[2.0, 3.0], [4.0, 3.0], [1.0, 1.0]])).tolist() == [
        [1, 0.5, 1 / 6]
    ]


def test_sizes_are_those_that_the_net_sees(tmp_path: Path) -> None:
    dataset = open_dataset(make.voc(tmp_path), "train", tmp_path)  # pictures of 40 x 30
    assert sizes_at(dataset, 80, 80).tolist()[0] == [80, 80]
    assert sizes_at(dataset, 80, 80, "letterbox").tolist()[0] == [80, 60]
    assert sizes_at(dataset, 60, 60, "crop").tolist()[0] == [80, 60]
    with pytest.raises(DetrtError, match="4 anchors cannot be made of 3 different boxes"):
        find_anchors(sizes_at(dataset, 80, 80), 4)

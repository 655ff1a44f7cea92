"""Moving shapes: the same every time, on still ground, with exact boxes, some of them standing still."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detrt.data import open_dataset
from detrt.data.check import check_labels
from detrt.data.clips import clips_of
from detrt.data.sample import DataSet
from detrt.errors import DetrtError


def videos(count: int = 6, frames: int = 24, steps: int = 8, **more: object) -> DataSet:
    options = {"size": [96, 64], "objects": [2, 3], "steps": steps, "frames": frames} | more
    data = {"format": "synthetic", "train": {"images": count * frames, "seed": 3}, "options": options}
    return open_dataset(data, "train", Path("."))


def test_videos_are_the_same_every_time_and_make_clips() -> None:
    first, again = videos(), videos()
    assert first.hash() == again.hash() and np.array_equal(first.load(30).image, again.load(30).image)
    assert (len(first), first.steps, len({p.video for p in first})) == (144, 8, 6)
    assert [clip.indices for clip in clips_of(first)][:3] == [
        tuple(range(8)),
        tuple(range(8, 16)),
        tuple(range(16, 24)),
    ]
    assert not np.array_equal(first.load(0).image, first.load(24).image)
    assert check_labels(first)[1].notices == ()


def test_only_what_moves_changes_a_pixel() -> None:
    dataset = videos()
    moved = still = 0
    for index, (before, after) in enumerate(zip(dataset.pictures, dataset.pictures[1:], strict=False)):
        if before.video != after.video:
            continue
        a, b = dataset.load(index).image, dataset.load(index + 1).image
        same = np.abs(before.annotation.boxes - after.annotation.boxes).max(axis=1) == 0
        moved, still = moved + int((~same).sum()), still + int(same.sum())
        changed = (a != b).any(axis=2)
        for box in np.concatenate([before.annotation.boxes, after.annotation.boxes]).astype(int):
            changed[max(0, box[1] - 2) : box[3] + 2, max(0, box[0] - 2) : box[2] + 2] = False  # soft edges
        assert not changed.any()
    assert moved > 50 and still > 50


def test_shapes_go_smoothly_and_stay_inside() -> None:
    dataset = videos(count=4, frames=120)
    width, height = 96, 64
    for number in range(4):
        boxes = np.stack([p.annotation.boxes for p in dataset.pictures[number * 120 : (number + 1) * 120]])
        assert (boxes[..., :2] >= 0).all() and (boxes[..., 2:] <= (width, height)).all()
        assert np.abs(np.diff(boxes, axis=0)).max() <= 3  # at most 4 pixels of 224 a frame, and a pixel of rounding
        assert np.ptp(boxes[:, :, 2:] - boxes[:, :, :2], axis=0).max() <= 1


@pytest.mark.parametrize(("images", "frames", "steps"), [(50, 24, 8), (48, 24, 32), (48, 8192, 8)])
def test_videos_that_cannot_be_are_told(images: int, frames: int, steps: int) -> None:
    data = {"format": "synthetic", "train": {"images": images}, "options": {"steps": steps, "frames": frames}}
    with pytest.raises(DetrtError, match="cannot be videos"):
        open_dataset(data, "train", Path("."))

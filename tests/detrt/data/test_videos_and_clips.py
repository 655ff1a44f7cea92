"""Frames in time: tracking sets as clips, and video files as pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import format_makers as make
import numpy as np
import pytest

from detrt.data import open_dataset
from detrt.data.check import check_labels
from detrt.data.clips import clips_of, iterate_clips, load_clip
from detrt.errors import DetrtError


def test_clips_are_runs_of_one_video(tmp_path: Path) -> None:
    dataset = open_dataset(make.bdd100k_track(tmp_path, {"v2": 7, "v1": 4}), "train", tmp_path)
    assert dataset.steps == 3 and len(dataset) == 11
    clips = clips_of(dataset)
    assert [(clip.video, clip.indices) for clip in clips] == [("v1", (0, 1, 2)), ("v2", (4, 5, 6)), ("v2", (7, 8, 9))]
    assert len(clips_of(dataset, steps=3, stride=1)) == 2 + 5
    frames = load_clip(dataset, clips[2])
    assert frames.images.shape == (3, 30, 40, 3)
    assert [a.boxes[0, 0] for a in frames.annotations] == [3, 4, 5]
    assert [a.labels.tolist() for a in frames.annotations] == [[0]] * 3


def test_a_broken_frame_parts_the_clips(tmp_path: Path) -> None:
    data = make.bdd100k_track(tmp_path, {"v": 7})
    (tmp_path / "images/track/train/v/v-0000004.jpg").write_bytes(b"")
    usable, _ = check_labels(open_dataset(data, "train", tmp_path))
    assert [clip.indices for clip in clips_of(usable)] == [(0, 1, 2), (3, 4, 5)]
    assert [usable.pictures[n].frame for n in clips_of(usable)[1].indices] == [4, 5, 6]
    with pytest.raises(DetrtError, match="the longest has 3"):
        clips_of(usable, steps=4)
    with pytest.raises(DetrtError, match="no videos"):
        clips_of(open_dataset(make.voc(tmp_path / "voc"), "train", tmp_path), steps=1)


def test_every_clip_comes_once_in_an_order_of_the_seed(tmp_path: Path) -> None:
    dataset = open_dataset(make.bdd100k_track(tmp_path, {"a": 6, "b": 6, "c": 6}, steps=2), "train", tmp_path)
    orders = [
        [f.clip for f in iterate_clips(dataset, seed=seed, epoch=epoch)] for seed, epoch in ((1, 0), (1, 0), (1, 1))
    ]
    assert orders[0] == orders[1] != orders[2]
    assert set(orders[0]) == set(clips_of(dataset)) and len(orders[0]) == 9


def test_a_video_is_held_back_whole(tmp_path: Path) -> None:
    data = make.bdd100k_track(tmp_path, {"a": 3, "b": 3, "c": 3}) | {"val": {"of": "train", "share": 0.3, "seed": 0}}
    train, val = (open_dataset(data, split, tmp_path) for split in ("train", "val"))
    assert len(val) == 3 and len({p.video for p in val}) == 1
    assert not {p.video for p in val} & {p.video for p in train}


def test_frames_of_a_video_are_pictures(tmp_path: Path) -> None:
    make.video(tmp_path / "clip.avi", 9)
    data = {"format": "video", "root": str(tmp_path), "train": {"videos": "clip.avi"}, "options": {"every": 2}}
    dataset = open_dataset(data, "train", tmp_path)
    assert [p.frame for p in dataset] == [0, 2, 4, 6, 8] and not dataset.labelled
    for index in (3, 0, 4, 1):  # backwards too
        assert abs(float(dataset.load(index).image.mean()) - (10 + 10 * index)) < 3
    usable, report = check_labels(dataset, workers=3)
    assert (len(usable), report.notices) == (5, ())
    late = replace(dataset, pictures=(replace(dataset.pictures[0], frame=50),))
    with pytest.raises(DetrtError, match="no frame 50"):
        late.load(0)


def test_a_folder_of_videos_and_one_that_is_none(tmp_path: Path) -> None:
    make.video(tmp_path / "v/one.avi", 3)
    (tmp_path / "v/two.mp4").write_bytes(b"not a video")
    data = {"format": "video", "root": str(tmp_path), "train": {"videos": "v"}}
    dataset = open_dataset(data, "train", tmp_path)
    assert [p.id for p in dataset] == ["one/0000000", "one/0000001", "one/0000002"]
    assert [(n.kind, n.where) for n in dataset.notices] == [("broken image", "two.mp4")]
    with pytest.raises(DetrtError, match="no video"):
        open_dataset(data | {"train": {"videos": "v/two.mp4"}}, "train", tmp_path)
    assert np.array_equal(dataset.load(2).image, dataset.load(2).image)

"""Batches in time: clips whose frames share their luck, pictures that are held, every frame scored once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from detrt.data import open_dataset
from detrt.data.clips import covering_clips, drawn_clips, runs_of
from detrt.data.encode import Encoding
from detrt.data.loader import Batch, plain_loader, train_loader
from detrt.data.sample import DataSet
from detrt.errors import DetrtError
from detrt.heads.base import ground_truth
from detrt.heads.detections import Detections
from detrt.train.in_time import frame_by_frame

AUGMENT: list[dict[str, Any]] = [
    {"name": "mosaic", "p": 1.0, "scale": [0.5, 1.5]},
    {"name": "flip", "p": 0.5},
    {"name": "hsv", "p": 0.5, "range": [0.5, 1.5]},
    {"name": "scale", "p": 0.5, "range": [0.8, 1.2]},
    {"name": "shift", "p": 0.5, "range": [-0.2, 0.2]},
]
ENCODING = Encoding(48, 32, "rgb", "affine", 255.0, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))


def videos(count: int = 5, frames: int = 10) -> DataSet:
    options = {"size": [64, 48], "objects": [1, 3], "steps": 4, "frames": frames}
    data = {"format": "synthetic", "train": {"images": count * frames, "seed": 1}, "options": options}
    return open_dataset(data, "train", Path("."))


def pictures(count: int = 5) -> DataSet:
    data = {"format": "synthetic", "train": {"images": count, "seed": 1}, "options": {"size": [64, 48]}}
    return open_dataset(data, "train", Path("."))


def batches(dataset: DataSet | None = None, epoch: int = 2, first: int = 0, **more: Any) -> list[Batch]:
    options: dict[str, Any] = {"batch": 4, "augment": AUGMENT, "seed": 7, "workers": 0, "steps": 4} | more
    loader = train_loader(dataset or videos(), ENCODING, ground_truth, **options)
    loader.set_epoch(epoch, first)
    found = list(loader)
    assert len(found) == len(loader) - first
    return found


def assert_equal(a: list[Batch], b: list[Batch]) -> None:
    assert [batch.ids for batch in a] == [batch.ids for batch in b]
    for one, other in zip(a, b, strict=True):
        assert torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets)


def test_a_batch_of_clips_is_what_a_net_in_time_reads() -> None:
    first, second = batches()
    assert first.inputs.shape == (4, 3, 32, 48, 4) and first.inputs.dtype == torch.float32
    assert first.targets.ndim == 4 and first.targets.shape[:2] == (4, 4) and first.targets.shape[3] == 5
    assert len(first.ids) == len(first.boxes) == len(first.sizes) == 16 and all(first.counted) and first.steps == 4
    for clip in range(4):
        names = [id.split("/") for id in first.ids[4 * clip : 4 * clip + 4]]
        assert len({video for video, _ in names}) == 1
        assert np.diff([int(frame) for _, frame in names]).tolist() == [1, 1, 1]
        for step in range(4):
            rows = ground_truth(first.boxes[4 * clip + step].numpy(), first.labels[4 * clip + step].numpy())
            assert torch.equal(first.targets[clip, step, : len(rows)], rows)
            assert (first.targets[clip, step, len(rows) :] == -1).all()
    assert len(second.ids) == 16


def test_frames_of_a_clip_share_their_luck_and_clips_do_not() -> None:
    """A still scene stays still through every step of the augmentation."""
    dataset = videos(frames=8)
    first = dataset.pictures[0]
    still = replace(
        dataset,
        pictures=tuple(replace(p, annotation=first.annotation) for p in dataset),
        read_image=lambda picture: dataset.read_image(first),
    )
    clips = torch.cat([batch.inputs for batch in batches(still)])
    assert all(torch.equal(clip[..., 0], clip[..., t]) for clip in clips for t in range(4))
    assert len({clip.numpy().tobytes() for clip in clips[..., 0]}) > 3


def test_workers_processes_and_resuming_change_no_clip() -> None:
    whole = batches()
    assert_equal(whole, batches(workers=3))
    assert_equal(whole[1:], batches(first=1))
    shares = [batches(rank=rank, world=3) for rank in range(3)]
    for number, batch in enumerate(whole):
        parts = [share[number] for share in shares]
        assert [id for part in parts for id in part.ids] == batch.ids
        assert torch.equal(torch.cat([part.inputs for part in parts]), batch.inputs)
    assert whole[0].ids != batches(epoch=3)[0].ids


def test_over_the_epochs_every_frame_has_its_turn() -> None:
    dataset = videos()
    runs = runs_of(dataset)
    seen: Counter[int] = Counter()
    for epoch in range(12):
        clips = drawn_clips(dataset, runs, 4, 7, epoch)
        used = [index for clip in clips for index in clip.indices]
        assert len(clips) == 10 and len(used) == len(set(used))
        seen.update(used)
    assert set(seen) == set(range(50))


@pytest.mark.parametrize("steps", [1, 3, 4, 10, 16])
def test_every_frame_is_scored_once(steps: int) -> None:
    dataset = videos()
    clips = covering_clips(dataset, steps)
    counted = [i for c in clips for i, counts in zip(c.indices, c.counted, strict=True) if counts]
    assert counted == list(range(50))
    assert {len(clip.indices) for clip in clips} == {steps}
    loader = plain_loader(dataset, ENCODING, ground_truth, batch=4, steps=steps)
    ids = [id for batch in loader for id, counts in zip(batch.ids, batch.counted, strict=True) if counts]
    assert ids == [picture.id for picture in dataset]


def test_pictures_are_held_without_being_copied() -> None:
    (batch,) = batches(pictures(), augment=[], batch=5)
    assert batch.inputs.shape == (5, 3, 32, 48, 4) and batch.inputs.stride(-1) == 0
    assert (len(batch.ids), batch.targets.ndim, batch.counted, batch.steps) == (5, 3, [], 4)
    assert sorted(batch.ids) == [picture.id for picture in pictures()]
    (mixed,) = batches(pictures(), batch=5)  # a mosaic of pictures makes sense, of videos it does not
    assert not torch.equal(mixed.inputs, batch.inputs)


def test_outputs_are_taken_frame_by_frame() -> None:
    clips, held = batches()[0], batches(pictures(), batch=4)[0]
    outputs = torch.arange(4 * 2 * 4).reshape(4, 2, 1, 1, 4)
    assert torch.equal(frame_by_frame(outputs, clips)[5], outputs[1, :, :, :, 1])
    assert torch.equal(frame_by_frame({"p": [outputs]}, held)["p"][0], outputs[..., 3])
    assert frame_by_frame(outputs, replace(held, steps=None)) is outputs


def test_videos_that_are_too_short_are_told() -> None:
    dataset = videos(3)
    cut = replace(dataset, pictures=dataset.pictures[:-7])
    loader = train_loader(cut, ENCODING, ground_truth, batch=2, steps=4)
    assert loader.told.startswith("1 video of data.train") and "fewer than 4 frames" in loader.told
    assert train_loader(dataset, ENCODING, ground_truth, batch=2, steps=4).told == ""


def test_a_process_without_a_clip_still_takes_its_step() -> None:
    loader = plain_loader(videos(1), ENCODING, ground_truth, batch=3, rank=2, world=4, steps=10)
    (batch,) = loader
    assert batch.inputs.shape == (0, 3, 32, 48, 10) and batch.targets.shape[:2] == (0, 10) and not batch.ids


def test_videos_that_make_no_clips_are_told() -> None:
    with pytest.raises(DetrtError, match="no video has 16 consecutive frames; the longest has 10"):
        batches(steps=16)
    dataset = videos()
    odd = [*dataset.pictures[:3], replace(dataset.pictures[3], width=32), *dataset.pictures[4:]]
    with pytest.raises(DetrtError, match="differ in size: 64x48 and 32x48"):
        batches(replace(dataset, pictures=tuple(odd)))
    gap = [p for p in dataset if p.frame != 4]
    assert {c.video for c in covering_clips(replace(dataset, pictures=tuple(gap)), 4)} == {p.video for p in dataset}


def test_detections_of_frames_that_count_are_given_once(tmp_path: Path) -> None:
    from detrt.train.task import DataTask

    dataset = videos(2)
    loader = plain_loader(dataset, ENCODING, ground_truth, batch=4, steps=4)
    task = DataTask.__new__(DataTask)
    task.encoding = ENCODING
    found = []
    for batch in loader:
        outputs = torch.zeros(len(batch.inputs), 2, 1, 1, 4)
        found += task.decode(outputs, batch, lambda maps: [Detections.none() for _ in maps])
    assert [id for id, _ in found] == [picture.id for picture in dataset]

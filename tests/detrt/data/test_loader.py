"""What a batch holds depends on (seed, epoch, picture), never on workers, processes, the cache or where a run was taken
up.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from detrt.data import open_dataset
from detrt.data.cache import PictureCache
from detrt.data.encode import Encoding
from detrt.data.loader import Batch, plain_loader, train_loader
from detrt.data.sample import Annotation, DataSet, Picture
from detrt.data.scales import Scales
from detrt.errors import DetrtError
from detrt.heads import build_head

AUGMENT: list[dict[str, Any]] = [
    {"name": "mosaic", "p": 0.5, "scale": [0.5, 1.5]},
    {"name": "mixup", "p": 0.5, "scale": [0.5, 1.5]},
    {"name": "affine", "p": 0.5, "degrees": [-10, 10]},
    {"name": "flip", "p": 0.5},
    {"name": "hsv", "p": 0.5, "range": [0.5, 1.5]},
    {"name": "scale", "p": 0.5, "range": [0.8, 1.2]},
    {"name": "shift", "p": 0.5, "range": [-0.2, 0.2]},
    {"name": "crop", "p": 0.5, "range": [0.6, 1.0]},
    {"name": "blur", "p": 0.5, "kernel": 5},
    {"name": "photometric", "p": 0.5},
]
SIZES = {"multiscale": {"range": [64, 128], "step": 32}}
HEAD = build_head({"kind": "gnetdet", "on": ["grid"], "options": {"classes": 3, "grid": [6, 6]}})
ENCODING = Encoding(96, 96, "bgr", "u5")


def small_set(count: int = 13) -> Any:
    data = {"format": "synthetic", "train": {"images": count, "seed": 1}, "options": {"size": [112, 100]}}
    return open_dataset(data, "train", Path("."))


def batches(epoch: int = 3, first: int = 0, **more: Any) -> list[Batch]:
    options = {"batch": 4, "augment": AUGMENT, "seed": 7, "workers": 0, "targets": HEAD.targets} | more
    loader = train_loader(small_set(), ENCODING, options.pop("targets"), **options)
    loader.set_epoch(epoch, first)
    return list(loader)


def assert_equal(a: list[Batch], b: list[Batch]) -> None:
    assert [batch.ids for batch in a] == [batch.ids for batch in b]
    for one, other in zip(a, b, strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.targets, other.targets)


def test_a_batch_is_what_the_model_reads() -> None:
    first = batches()[0]
    assert first.inputs.shape == (4, 3, 96, 96) and first.inputs.dtype == torch.float32
    assert first.inputs.is_contiguous(memory_format=torch.channels_last)
    assert first.inputs.min() >= 0 and first.inputs.max() <= 31 and torch.equal(first.inputs, first.inputs.round())
    assert first.targets.shape == (4, 6, 6, 13)
    for boxes, labels, target in zip(first.boxes, first.labels, first.targets, strict=True):
        assert ((boxes >= 0) & (boxes <= 1)).all()
        assert torch.equal(HEAD.targets(boxes, labels), target)


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("sizes", [{}, SIZES])
def test_workers_change_nothing(workers: int, sizes: Any) -> None:
    assert_equal(batches(**sizes), batches(workers=workers, **sizes))


def test_the_cache_changes_nothing() -> None:
    dataset = small_set()
    first = dataset.load(0).image
    tiny = PictureCache(dataset, limit=first.nbytes * 3)
    assert_equal(batches(), batches(cache=tiny))
    assert_equal(batches(epoch=4), batches(epoch=4, cache=tiny))
    assert len(tiny._images) == 3


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("sizes", [{}, SIZES])
def test_processes_share_one_global_batch(world: int, sizes: Any) -> None:
    whole = batches(**sizes)
    shares = [batches(rank=rank, world=world, **sizes) for rank in range(world)]
    for number, batch in enumerate(whole):
        parts = [share[number] for share in shares]
        assert [id for part in parts for id in part.ids] == batch.ids
        assert torch.equal(torch.cat([part.inputs for part in parts]), batch.inputs)


def test_an_epoch_can_be_taken_up_in_the_middle() -> None:
    assert_equal(batches()[1:], batches(first=1))
    assert_equal(batches(**SIZES)[1:], batches(first=1, **SIZES))


def test_epochs_and_seeds_differ() -> None:
    def pixels(**more: Any) -> bytes:
        return torch.cat([batch.inputs for batch in batches(**more)]).numpy().tobytes()

    assert len({pixels(), pixels(epoch=4), pixels(seed=8)}) == 3


def test_training_gives_full_batches_and_validation_every_picture() -> None:
    assert [len(batch.ids) for batch in batches()] == [4, 4, 4]
    plain = plain_loader(small_set(), ENCODING, HEAD.targets, batch=4)
    assert [len(batch.ids) for batch in plain] == [4, 4, 4, 1] and len(plain) == 4
    assert [id for batch in plain for id in batch.ids] == [picture.id for picture in small_set()]
    few = plain_loader(small_set(), ENCODING, HEAD.targets, batch=4, images=6)
    assert [len(batch.ids) for batch in few] == [4, 2]


def test_a_process_without_a_picture_still_takes_its_step() -> None:
    loader = plain_loader(small_set(), ENCODING, HEAD.targets, batch=4, rank=1, world=2)
    sizes = [(len(batch.ids), tuple(batch.inputs.shape), tuple(batch.targets.shape)) for batch in loader]
    assert sizes[-1] == (0, (0, 3, 96, 96), (0, 6, 6, 13))


def test_a_set_smaller_than_a_batch_is_one_batch_and_never_less_than_the_processes() -> None:
    loader = train_loader(small_set(3), ENCODING, HEAD.targets, batch=16)
    assert [len(batch.ids) for batch in loader] == [3]
    with pytest.raises(DetrtError, match="4 processes"):
        train_loader(small_set(3), ENCODING, HEAD.targets, batch=16, world=4)


def test_leaving_early_leaves_no_thread_behind() -> None:
    import threading

    loader = train_loader(small_set(), ENCODING, HEAD.targets, batch=2, workers=2)
    for _ in loader:
        break
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("loader")]


def test_a_picture_that_vanishes_is_an_error_not_a_hang(tmp_path: Path) -> None:
    from detrt.data.synthetic import write_voc

    write_voc(tmp_path, {"train": 4})
    data = {"format": "voc", "root": ".", "classes": ["disc", "square", "triangle"], "train": {"split": "train"}}
    dataset = open_dataset(data, "train", tmp_path)
    dataset.pictures[2].path.unlink()
    with pytest.raises(DetrtError, match="cannot read the picture"):
        list(train_loader(dataset, ENCODING, HEAD.targets, batch=4))


def test_targets_count_what_a_cell_can_hold() -> None:
    boxes = np.array([[0.1, 0.1, 0.3, 0.3], [0.1, 0.1, 0.3, 0.3], [0.6, 0.6, 0.9, 0.9]], np.float32)
    assert HEAD.matches(boxes, np.array([0, 0, 2])).tolist() == [1, 0, 1]


def rows_of(boxes: Any, labels: Any) -> torch.Tensor:
    """A row an object, as heads whose targets are no grid have it."""
    return torch.from_numpy(np.concatenate([labels[:, None], boxes], axis=1).astype(np.float32))


def test_targets_of_fewer_rows_are_filled_up_with_minus_one() -> None:
    loader = train_loader(small_set(), ENCODING, rows_of, batch=4, workers=0)
    for batch in loader:
        most = max(len(labels) for labels in batch.labels)
        assert batch.targets.shape == (4, most, 5)
        for boxes, labels, target in zip(batch.boxes, batch.labels, batch.targets, strict=True):
            assert torch.equal(target[: len(labels)], rows_of(boxes.numpy(), labels.numpy()))
            assert (target[len(labels) :] == -1).all()


def test_the_label_of_a_class_picture_survives_every_crop() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 40, 50, 3), np.uint8)
    pictures = tuple(
        Picture(str(n), Path(str(n)), 50, 40, Annotation.of([(0, 0, 50, 40)], [n])) for n in range(len(images))
    )
    data = DataSet("kinds", "train", ("a",) * 6, pictures, lambda picture: images[int(picture.id)], whole=True)
    crops = [{"name": "shift", "p": 1.0, "range": [0.6, 0.9]}, {"name": "crop", "p": 1.0, "range": [0.1, 0.2]}]
    for batch in train_loader(data, ENCODING, rows_of, batch=3, augment=crops, workers=0):
        assert batch.targets[:, 0].tolist() == [[int(id), 0.0, 0.0, 1.0, 1.0] for id in batch.ids]


def test_several_sizes_are_drawn_a_batch_at_a_time() -> None:
    sides = [[tuple(b.inputs.shape[2:]) for b in batches(epoch, **SIZES, targets=rows_of)] for epoch in range(6)]
    drawn = {side for epoch in sides for side in epoch}
    assert drawn == {(64, 64), (96, 96), (128, 128)} and len({tuple(epoch) for epoch in sides}) > 2


def test_an_input_that_is_not_square_keeps_its_proportions_in_whole_steps() -> None:
    scales = Scales.of({"range": [320, 640], "step": 32})
    assert scales is not None
    for batch in range(20):
        drawn = scales.drawn(Encoding(640, 384, "bgr", "u5"), 0, 0, batch)
        assert drawn.width % 32 == drawn.height % 32 == 0 and 320 <= drawn.width <= 640
        assert abs(drawn.height - drawn.width * 0.6) <= 16


@pytest.mark.parametrize(
    "wrong", [{"range": [320]}, {"range": [640, 320], "step": 32}, {"range": [330, 640], "step": 32}, {"step": 8}, 3]
)
def test_impossible_sizes_are_refused(wrong: Any) -> None:
    with pytest.raises(DetrtError, match="multiscale"):
        Scales.of(wrong)


def test_the_last_epochs_are_gentle() -> None:
    gentle = [step for step in AUGMENT if step["name"] not in ("mosaic", "mixup", "affine")]
    assert_equal(batches(3, gentle_from=3, **SIZES), batches(3, augment=gentle))
    assert_equal(batches(2, gentle_from=3, **SIZES), batches(2, **SIZES))


def test_pictures_with_one_label_are_not_mixed() -> None:
    data = replace(small_set(), whole=True)
    with pytest.raises(DetrtError, match="one label"):
        train_loader(data, ENCODING, rows_of, batch=3, augment=AUGMENT)

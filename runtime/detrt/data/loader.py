"""Batches for training and validation, prepared by threads while the model works on the batch before.

Threads, not processes: OpenCV and numpy let go of the interpreter while they work, pictures stay shared, and nothing is
left behind when the program is killed. Each picture draws its augmentation from (seed, epoch, picture): workers,
processes and resuming change no value.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from detrt.data.augment import Recipe
from detrt.data.cache import PictureCache
from detrt.data.encode import Encoding
from detrt.data.order import Indices, plain_batches, require_work_for_all, share, shuffled_batches
from detrt.data.sample import Annotation, DataSet, Image, Sample

AHEAD = 2
"""Batches in preparation while one is in use."""

Targets = Callable[[NDArray[np.float32], NDArray[np.int64]], Tensor]


@dataclass(slots=True)
class Batch:
    """One process's share of a global batch.

    `inputs` float32 [n, channels, height, width], encoded, channels last in memory; `targets` [n, ...] from the head,
    stacked (those of fewer rows than others are filled up with rows of -1); `boxes` float32 [k, 4] x1 y1 x2 y2 as
    shares of the input and `labels` int64 [k] of each picture; `ids` of the pictures and their own `sizes`, width and
    height in pixels.
    """

    inputs: Tensor
    targets: Tensor
    boxes: list[Tensor]
    labels: list[Tensor]
    ids: list[str]
    sizes: list[tuple[int, int]] = field(default_factory=list)


class _Ready(NamedTuple):
    id: str
    data: Image
    target: Tensor
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    size: tuple[int, int]


class Loader:
    """Iterable over one epoch's batches; `set_epoch` chooses the epoch. Made by `train_loader` and `plain_loader`."""

    def __init__(
        self,
        dataset: DataSet,
        encoding: Encoding,
        targets: Targets,
        batches: Callable[[int], list[Indices]],
        recipe: Recipe,
        seed: int,
        rank: int,
        world: int,
        workers: int,
        device: torch.device | str,
        cache: PictureCache | None,
    ) -> None:
        self.dataset, self.encoding, self.targets, self.recipe = dataset, encoding, targets, recipe
        self.batches, self.seed, self.rank, self.world = batches, seed, rank, world
        self.workers, self.device = workers, torch.device(device)
        self.cache = cache if cache is not None else PictureCache(dataset)
        self.set_epoch(0)

    def set_epoch(self, epoch: int, first_batch: int = 0) -> None:
        """The next iteration gives epoch `epoch` (from 0), without its first `first_batch` batches."""
        self.epoch, self.first_batch = epoch, first_batch

    def __len__(self) -> int:
        """Batches of a whole epoch; the same in every process."""
        return len(self.batches(self.epoch))

    def __iter__(self) -> Iterator[Batch]:
        shares = [share(batch, self.rank, self.world) for batch in self.batches(self.epoch)[self.first_batch :]]
        cv2.setNumThreads(1)  # the threads below are the parallelism
        if self.workers < 1:
            for mine in shares:
                yield self._collate([self._prepare(int(index), self.epoch) for index in mine])
            return
        waiting: deque[list[Future[_Ready]]] = deque()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="loader") as pool:
            try:
                for mine in shares:
                    waiting.append([pool.submit(self._prepare, int(index), self.epoch) for index in mine])
                    if len(waiting) > AHEAD:
                        yield self._collate([future.result() for future in waiting.popleft()])
                while waiting:
                    yield self._collate([future.result() for future in waiting.popleft()])
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _prepare(self, index: int, epoch: int) -> _Ready:
        picture = self.dataset.pictures[index]
        sample = Sample(picture.id, picture.path, self.cache[index], picture.annotation)
        size = (sample.image.shape[1], sample.image.shape[0])
        image, annotation = self.recipe(sample, self.encoding, np.random.default_rng([self.seed, epoch, index]))
        if getattr(self.dataset, "whole", False):  # the label is the picture's, however little of it is left
            canvas = np.array([[0, 0, self.encoding.width, self.encoding.height]], np.float32)
            annotation = picture.annotation.moved(canvas.repeat(len(picture.annotation), axis=0))
        boxes = normalised(annotation, self.encoding.width, self.encoding.height)
        data = self.encoding.bytes_of(image)
        return _Ready(picture.id, data, self.targets(boxes, annotation.labels), boxes, annotation.labels, size)

    def _collate(self, ready: Sequence[_Ready]) -> Batch:
        if not ready:  # a process without a picture of the last batch still takes its step
            shape = (0, self.encoding.height, self.encoding.width, self.encoding.channels)
            empty = torch.zeros(shape, dtype=torch.uint8, device=self.device)
            nothing = self.targets(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
            return Batch(self.encoding.tensor(empty), nothing[None][:0].to(self.device), [], [], [])
        data = torch.from_numpy(np.stack([item.data for item in ready])).to(self.device, non_blocking=True)
        return Batch(
            self.encoding.tensor(data),
            stacked([item.target for item in ready]).to(self.device, non_blocking=True),
            [torch.from_numpy(item.boxes) for item in ready],
            [torch.from_numpy(item.labels) for item in ready],
            [item.id for item in ready],
            [item.size for item in ready],
        )


def stacked(targets: Sequence[Tensor]) -> Tensor:
    """[n, rows, ...] from n tensors [rows_i, ...]; where the counts of rows differ, rows of -1 (a label that no class
    has) follow.
    """
    if len({len(target) for target in targets if target.ndim}) < 2:
        return torch.stack(list(targets))
    return pad_sequence(list(targets), batch_first=True, padding_value=-1.0)


def normalised(annotation: Annotation, width: int, height: int) -> NDArray[np.float32]:
    """Boxes as shares of a picture of this size: float32 [n, 4]."""
    return np.asarray(annotation.boxes / np.array([width, height, width, height], np.float32), np.float32)


def train_loader(
    dataset: DataSet,
    encoding: Encoding,
    targets: Targets,
    *,
    batch: int,
    augment: Sequence[Mapping[str, Any]] = (),
    seed: int = 0,
    rank: int = 0,
    world: int = 1,
    workers: int = 2,
    device: torch.device | str = "cpu",
    cache: PictureCache | None = None,
) -> Loader:
    """Shuffled, augmented, full batches of `batch` pictures over all processes. `targets(boxes, labels)` is the head's.

    Raises DetrtError where a process would get no picture, or for an augmentation that does not exist.
    """
    require_work_for_all(batch, len(dataset), world)

    def batches(epoch: int) -> list[Indices]:
        return shuffled_batches(len(dataset), batch, seed, epoch)

    return Loader(dataset, encoding, targets, batches, Recipe.of(augment), seed, rank, world, workers, device, cache)


def plain_loader(
    dataset: DataSet,
    encoding: Encoding,
    targets: Targets,
    *,
    batch: int,
    images: int | None = None,
    rank: int = 0,
    world: int = 1,
    workers: int = 2,
    device: torch.device | str = "cpu",
    cache: PictureCache | None = None,
) -> Loader:
    """The pictures in their own order without augmentation, only the first `images` if given; each is given once,
    to one process.
    """
    count = len(dataset) if images is None else min(images, len(dataset))

    def batches(epoch: int) -> list[Indices]:
        return plain_batches(count, batch)

    return Loader(dataset, encoding, targets, batches, Recipe(()), 0, rank, world, workers, device, cache)

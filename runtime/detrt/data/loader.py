"""Batches for training and validation, prepared by threads while the model works on the batch before.

Threads, not processes: OpenCV and numpy let go of the interpreter while they work, pictures stay shared, and nothing is
left behind when the program is killed. Each picture draws its augmentation from (seed, epoch, picture), each clip once
for all its frames from (seed, epoch, clip): workers, processes and resuming change no value.
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
from detrt.data.clips import Time, covering_time, drawn_time
from detrt.data.encode import Encoding
from detrt.data.order import Indices, plain_batches, require_work_for_all, share, shuffled_batches
from detrt.data.sample import Annotation, DataSet, Image, Sample
from detrt.data.scales import Scales
from detrt.errors import DetrtError

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

    With `steps` in time: `inputs` [n, channels, height, width, steps]. Of clips, `targets` [n, steps, ...], and `boxes`,
    `labels`, `ids` and `sizes` are those of their n * steps frames, clip by clip; `counted` says which of them are scored.
    A picture that is held for all steps has one entry, as without them.
    """

    inputs: Tensor
    targets: Tensor
    boxes: list[Tensor]
    labels: list[Tensor]
    ids: list[str]
    sizes: list[tuple[int, int]] = field(default_factory=list)
    steps: int | None = None
    counted: list[bool] = field(default_factory=list)

    @property
    def of_clips(self) -> bool:
        """Whether the entries are those of frames."""
        return bool(self.counted)


class Fed(NamedTuple):
    """A BGR picture of the net's size, its boxes in pixels of it, and width and height that it had before."""

    image: Image
    annotation: Annotation
    size: tuple[int, int]


class _Ready(NamedTuple):
    id: str
    data: Image
    target: Tensor
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    size: tuple[int, int]
    counted: bool = True


class Loader:
    """Iterable over one epoch's batches; `set_epoch` chooses the epoch. Made by `train_loader` and `plain_loader`.

    What `batches` numbers are pictures, or the clips of `time`.
    """

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
        scales: Scales | None = None,
        gentle_from: int | None = None,
        time: Time | None = None,
    ) -> None:
        self.time = time
        self.dataset, self.encoding, self.targets, self.recipe = dataset, encoding, targets, recipe
        self.scales, self.gentle_from = scales, gentle_from
        self.batches, self.seed, self.rank, self.world = batches, seed, rank, world
        self.workers, self.device = workers, torch.device(device)
        self.cache = cache if cache is not None else PictureCache(dataset)
        self.set_epoch(0)

    @property
    def told(self) -> str:
        """What of the set is not used, for the user; empty where all is."""
        return self.time.told if self.time is not None else ""

    def set_epoch(self, epoch: int, first_batch: int = 0) -> None:
        """The next iteration gives epoch `epoch` (from 0), without its first `first_batch` batches."""
        self.epoch, self.first_batch = epoch, first_batch

    def __len__(self) -> int:
        """Batches of a whole epoch; the same in every process."""
        return len(self.batches(self.epoch))

    def __iter__(self) -> Iterator[Batch]:
        epoch, gentle = self.epoch, self.gentle_from is not None and self.epoch >= self.gentle_from
        recipe = self.recipe.without_strong() if gentle else self.recipe
        cv2.setNumThreads(1)  # the threads below are the parallelism
        if self.workers < 1:
            for encoding, mine in self._shares(epoch, None if gentle else self.scales):
                yield self._collate([self._prepare(i, epoch, encoding, recipe) for i in mine], encoding)
            return
        waiting: deque[tuple[list[Future[list[_Ready]]], Encoding]] = deque()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="loader") as pool:
            try:
                for encoding, mine in self._shares(epoch, None if gentle else self.scales):
                    waiting.append(([pool.submit(self._prepare, i, epoch, encoding, recipe) for i in mine], encoding))
                    if len(waiting) > AHEAD:
                        yield self._next(waiting)
                while waiting:
                    yield self._next(waiting)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _shares(self, epoch: int, scales: Scales | None) -> Iterator[tuple[Encoding, list[int]]]:
        """For each batch that is left of the epoch: what its pictures are encoded to, and which are this process's."""
        for number, batch in enumerate(self.batches(epoch)):
            if number >= self.first_batch:
                encoding = scales.drawn(self.encoding, self.seed, epoch, number) if scales else self.encoding
                yield encoding, share(batch, self.rank, self.world).tolist()

    def _next(self, waiting: deque[tuple[list[Future[list[_Ready]]], Encoding]]) -> Batch:
        futures, encoding = waiting.popleft()
        return self._collate([future.result() for future in futures], encoding)

    def _prepare(self, number: int, epoch: int, encoding: Encoding, recipe: Recipe) -> list[_Ready]:
        """A picture, or the frames of a clip, which share their luck."""
        if self.time is None or self.time.clips is None:
            return [self._one(number, number, epoch, encoding, recipe)]
        clip = self.time.clips(epoch)[number]
        return [
            self._one(index, number, epoch, encoding, recipe)._replace(counted=counted)
            for index, counted in zip(clip.indices, clip.counted, strict=True)
        ]

    def _one(self, index: int, luck: int, epoch: int, encoding: Encoding, recipe: Recipe) -> _Ready:
        fed = augmented(self.dataset, index, encoding, recipe, self.seed, epoch, self.cache, luck)
        boxes, labels = normalised(fed.annotation, encoding.width, encoding.height), fed.annotation.labels
        data = encoding.bytes_of(fed.image)
        return _Ready(self.dataset.pictures[index].id, data, self.targets(boxes, labels), boxes, labels, fed.size)

    def _collate(self, items: Sequence[Sequence[_Ready]], encoding: Encoding) -> Batch:
        ready = [one for item in items for one in item]
        if ready:
            data = torch.from_numpy(np.stack([one.data for one in ready])).to(self.device, non_blocking=True)
            targets = stacked([one.target for one in ready]).to(self.device, non_blocking=True)
        else:  # a process without a picture of the last batch still takes its step
            shape = (0, encoding.height, encoding.width, encoding.channels)
            data = torch.zeros(shape, dtype=torch.uint8, device=self.device)
            nothing = self.targets(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
            targets = nothing[None][:0].to(self.device)
        batch = Batch(
            encoding.tensor(data),
            targets,
            [torch.from_numpy(one.boxes) for one in ready],
            [torch.from_numpy(one.labels) for one in ready],
            [one.id for one in ready],
            [one.size for one in ready],
        )
        if self.time is None:
            return batch
        steps = batch.steps = self.time.steps
        if self.time.clips is None:
            batch.inputs = batch.inputs[..., None].expand(*batch.inputs.shape, steps)
            return batch
        batch.inputs = batch.inputs.reshape(len(items), steps, *batch.inputs.shape[1:]).movedim(1, -1)
        batch.targets = batch.targets.reshape(len(items), steps, *batch.targets.shape[1:])
        batch.counted = [one.counted for one in ready]
        return batch


def augmented(
    dataset: DataSet,
    index: int,
    encoding: Encoding,
    recipe: Recipe,
    seed: int,
    epoch: int,
    images: PictureCache | None = None,
    luck: int | None = None,
) -> Fed:
    """Picture `index` as it is fed in `epoch`.

    (seed, epoch, index) decide everything: the luck of each step, and which other pictures mosaic and mixup bring in. With
    `luck` that number does instead of the picture's own.
    """

    def sample(number: int) -> Sample:
        if images is None:
            return dataset.load(number)
        picture = dataset.pictures[number]
        return Sample(picture.id, picture.path, images[number], picture.annotation)

    def another(rng: np.random.Generator) -> Sample:
        return sample(int(rng.integers(len(dataset))))

    own = sample(index)
    image, annotation = recipe(
        own, encoding, np.random.default_rng([seed, epoch, index if luck is None else luck]), another
    )
    if dataset.whole:  # the label is the picture's, however little of it is left
        canvas = np.array([[0, 0, encoding.width, encoding.height]], np.float32)
        annotation = own.annotation.moved(canvas.repeat(len(own.annotation), axis=0))
    return Fed(image, annotation, (own.image.shape[1], own.image.shape[0]))


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
    multiscale: Mapping[str, Any] | None = None,
    gentle_from: int | None = None,
    seed: int = 0,
    rank: int = 0,
    world: int = 1,
    workers: int = 2,
    device: torch.device | str = "cpu",
    cache: PictureCache | None = None,
    steps: int | None = None,
) -> Loader:
    """Shuffled, augmented, full batches of `batch` pictures over all processes. `targets(boxes, labels)` is the head's.

    `multiscale` draws a size for each batch. From epoch `gentle_from` on it is off, and so are the strong steps of
    `augment`. With `steps` a set of videos gives `batch` clips of so many frames, without the steps of `augment` that make
    no sense in time, and any other set pictures that are held so long. Raises DetrtError where a process would get no
    picture, for an augmentation that does not exist, and for one that mixes pictures which have one label each.
    """
    time = None if steps is None else drawn_time(dataset, steps, seed)
    count = len(dataset) if time is None else time.count
    require_work_for_all(batch, count, world)
    recipe, scales = Recipe.of(augment), Scales.of(multiscale)
    if dataset.whole and recipe.mixes:
        raise DetrtError(
            "mosaic and mixup lay several pictures together, and each picture of this set has one label", "augment",
            "leave them out, or crop: resized_crop",
        )  # fmt: skip

    if time is not None and time.clips is not None:
        recipe = recipe.for_clips()

    def batches(epoch: int) -> list[Indices]:
        return shuffled_batches(count, batch, seed, epoch)

    return Loader(
        dataset,
        encoding,
        targets,
        batches,
        recipe,
        seed,
        rank,
        world,
        workers,
        device,
        cache,
        scales,
        gentle_from,
        time,
    )


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
    steps: int | None = None,
) -> Loader:
    """The pictures in their own order without augmentation, only the first `images` if given; each is given once,
    to one process. With `steps` in time: see `train_loader`, and `covering_clips` for what is counted.
    """
    part = dataset if images is None else dataset.first(images)
    time = None if steps is None else covering_time(part, steps)
    count = len(part) if time is None else time.count

    def batches(epoch: int) -> list[Indices]:
        return plain_batches(count, batch)

    return Loader(dataset, encoding, targets, batches, Recipe(()), 0, rank, world, workers, device, cache, time=time)

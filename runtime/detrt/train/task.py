"""What is being learned, put together from the lock: the data set's splits, the model's head, decoding and scoring."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from detrt.data.cache import PictureCache, picture_cache
from detrt.data.carve import part_of
from detrt.data.check import check_labels
from detrt.data.encode import Encoding
from detrt.data.loader import Batch, plain_loader, train_loader
from detrt.data.opening import has_split, open_dataset
from detrt.data.root_folder import base_of
from detrt.data.sample import DataSet, Image
from detrt.errors import DetrtError
from detrt.evaluate.score import score
from detrt.heads import build_head
from detrt.heads.detections import Detections
from detrt.lock import Lock, Stage
from detrt.train.contracts import Loader
from detrt.train.in_time import frame_by_frame
from detrt.train.sheets import detection_sheet

SPLITS = ("train", "val", "test")


class DataTask:
    """Model `model` of the lock on data set `data`; `bases` are the folders in which a relative data root is looked
    for, in order. What the figures are, each kind of task says.
    """

    def __init__(self, lock: Lock, model: str, data: str, bases: Sequence[Path], device: torch.device) -> None:
        self.name = data
        self.device = device
        self._raw: dict[str, Any] = dict(lock.raw["data"][data])
        self._base = base_of(self._raw, data, bases)
        described = lock.model_named(model)
        if not described.heads:
            raise DetrtError(f"the model `{model}` has no head, so there is nothing to train it for", "model.heads")
        self._head = described.heads[0].model_dump(mode="json")
        self._head["nodes"] = [described.outputs[name][0] for name in self._head["on"] if described.outputs.get(name)]
        self.encoding = Encoding.of(described.input.model_dump(mode="json"))
        self._sets: dict[str, DataSet] = {}
        self._caches: dict[str, PictureCache] = {}
        self._target_maker = build_head(self._head)
        self.classes: Sequence[str] = self._target_maker.class_names(self.dataset("train").classes)

    def has_split(self, split: str) -> bool:
        """True if the split is there and can be scored: COCO's test sets have no labels."""
        return has_split(self._raw, split) and (split != "test" or self.dataset(split).labelled)

    def dataset(self, split: str) -> DataSet:
        """The split as its label files list it, or as `check_labels` left it."""
        if split not in self._sets:
            self._sets[split] = open_dataset(self._raw, split, self._base, self.name)
        return self._sets[split]

    def shorten(self, split: str, images: int) -> None:
        """From now on the split has its first `images` pictures only."""
        self._sets[split] = self.dataset(split).first(images)

    def check_labels(self, say: Callable[[str], None]) -> None:
        """Checks every split, tells what was found, and goes on with what can be used. Raises DetrtError if a split
        has nothing.
        """
        for split in SPLITS:
            if self.has_split(split):
                self._sets[split], report = check_labels(self.dataset(split))
                for line in report.lines():
                    say(line)

    def data_hash(self) -> str:
        digest = hashlib.sha256()
        for split in SPLITS:
            if self.has_split(split):
                digest.update(f"{split} {self.dataset(split).hash()}\n".encode())
        return digest.hexdigest()

    def head(self, stage: Stage) -> Any:
        chosen = {"maps": stage.heads.maps} if stage.heads is not None else {}
        return build_head({**self._head, **chosen}, stage.loss)

    def train_loader(self, stage: Stage, *, seed: int, rank: int, world: int, workers: int) -> Loader:
        return train_loader(
            self.dataset("train"),
            self.encoding,
            self._target_maker.targets,
            batch=stage.part,
            augment=stage.augment,
            multiscale=stage.multiscale.model_dump() if stage.multiscale else None,
            gentle_from=stage.epochs - stage.no_aug_epochs if stage.no_aug_epochs else None,
            seed=seed,
            rank=rank,
            world=world,
            workers=workers,
            device=self.device,
            cache=self._cache("train"),
            steps=stage.time_steps,
        )

    def plain_loader(
        self,
        split: str,
        *,
        batch: int,
        rank: int,
        world: int,
        workers: int,
        images: int | None = None,
        steps: int | None = None,
    ) -> Loader:
        return plain_loader(
            self.dataset(split),
            self.encoding,
            self._target_maker.targets,
            batch=batch,
            images=images,
            rank=rank,
            world=world,
            workers=workers,
            device=self.device,
            cache=self._cache(split),
            steps=steps,
        )

    def pictures(self, images: int | None, batch: int, workers: int, calibrating: bool = False) -> Iterable[Tensor]:
        """Encoded batches of the first training pictures, the same in every process; may be gone through more than
        once. When calibrating, of the data's `quantization_split`, if it has one.
        """
        share = (self._raw.get("options") or {}).get("quantization_split") if calibrating else None
        dataset = self.dataset("train") if share is None else part_of(self.dataset("train"), float(share))
        loader = plain_loader(
            dataset,
            self.encoding,
            self._target_maker.targets,
            batch=batch,
            images=images,
            workers=workers,
            device=self.device,
            cache=self._cache("train") if share is None else picture_cache(dataset, self._cache_settings()),
        )
        return _Inputs(loader)

    def decode(self, outputs: Any, batch: Batch, decode: Callable[[Any], list[Detections]] | None = None) -> list[Any]:
        found = (decode or self._target_maker.decode)(frame_by_frame(outputs, batch))
        counted = batch.counted or [True] * len(batch.ids)
        return [
            (id, one.moved(self.encoding.unplaced(one.boxes, *size)))
            for id, size, one, counts in zip(batch.ids, batch.sizes, found, counted, strict=True)
            if counts
        ]

    def score(self, split: str, detections: Sequence[Any], rule: str) -> dict[str, float]:
        """Figures by name from pairs (id, Detections) of the pictures of a split, in any order."""
        raise NotImplementedError

    def _cache(self, split: str) -> PictureCache:
        if split not in self._caches:
            self._caches[split] = picture_cache(self.dataset(split), self._cache_settings())
        return self._caches[split]

    def _cache_settings(self) -> dict[str, Any] | None:
        settings: dict[str, Any] | None = (self._raw.get("options") or {}).get("cache", {})
        return settings


class DetectionTask(DataTask):
    """Finding boxes, scored by their mean average precision."""

    def score(self, split: str, detections: Sequence[Any], rule: str) -> dict[str, float]:
        dataset = self.dataset(split)
        return score(dataset, in_order(dataset, detections), rule).figures()

    def sheet(self, split: str, detections: Sequence[Any]) -> Image:
        """Some pictures of a split with what was found in them; see `detection_sheet`."""
        dataset = self.dataset(split)
        return detection_sheet(dataset, in_order(dataset, detections), self.classes)


def in_order(dataset: DataSet, detections: Sequence[Any]) -> list[Detections]:
    """What was found in each picture of the set, from pairs (id, Detections) in any order."""
    found = dict(detections)
    return [found.get(picture.id, Detections.none()) for picture in dataset]


class _Inputs:
    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def __iter__(self) -> Iterator[Tensor]:
        self.loader.set_epoch(0)
        return (batch.inputs for batch in self.loader)

"""What every data format is read into: pictures with boxes, and a set of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detrt.data.notice import Notice

Image = NDArray[np.uint8]
"""A picture, uint8 [height, width, 3] in BGR, as OpenCV reads it."""


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """Boxes of one picture. `boxes` float32 [n, 4] x1 y1 x2 y2 in pixels, where a box that covers the whole picture
    is (0, 0, width, height);

    `labels` int64 [n], numbers of the set's classes from 0; `crowd` bool [n], regions that stand for many objects
    (COCO iscrowd); `difficult` bool [n], boxes that VOC's rules neither ask for nor count as wrong. `areas` float64 [n]
    in square pixels where the label file has them (COCO's, of the object's outline); None: those of the boxes.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    difficult: NDArray[np.bool_]
    areas: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        boxes: Sequence[Sequence[float]],
        labels: Sequence[int],
        crowd: Sequence[bool] | None = None,
        difficult: Sequence[bool] | None = None,
    ) -> Annotation:
        """From plain lists; flags that are not given are false."""
        count = len(labels)
        return cls(
            np.asarray(boxes, np.float32).reshape(-1, 4),
            np.asarray(labels, np.int64).reshape(-1),
            np.asarray(crowd if crowd is not None else [False] * count, bool),
            np.asarray(difficult if difficult is not None else [False] * count, bool),
        )

    @classmethod
    def joined(cls, parts: Sequence[Annotation]) -> Annotation:
        """The boxes of several, one after the other; areas only if all have them."""
        if len(parts) == 1:
            return parts[0]
        areas = [part.areas for part in parts if part.areas is not None]
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.crowd for part in parts]),
            np.concatenate([part.difficult for part in parts]),
            np.concatenate(areas) if areas and len(areas) == len(parts) else None,
        )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Annotation:
        """Only these boxes, by mask or by index."""
        areas = None if self.areas is None else self.areas[which]
        return Annotation(self.boxes[which], self.labels[which], self.crowd[which], self.difficult[which], areas)

    def moved(self, boxes: NDArray[np.float32]) -> Annotation:
        """The same objects with other boxes."""
        return replace(self, boxes=np.ascontiguousarray(boxes, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One entry of a set, not yet read. `width` and `height` in pixels as the label file states them, 0 where it
    does not.

    A frame of a video names it in `video`, with its number there from 0 in `frame`.
    """

    id: str
    path: Path
    width: int
    height: int
    annotation: Annotation
    video: str = ""
    frame: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One picture that has been read, with its boxes in pixels of this image."""

    id: str
    path: Path
    image: Image
    annotation: Annotation

    @property
    def boxes(self) -> NDArray[np.float32]:
        return self.annotation.boxes

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.annotation.labels


@dataclass(frozen=True, slots=True)
class DataSet:
    """One split of one data set: its pictures in a fixed order, its classes, and what its reader found wrong.

    `whole`: each picture has one box, over all of it, whatever augmentation cuts away (class folders). `labelled` is
    false where nothing says what the pictures show, so that nothing can be scored on them. `steps`: frames of a clip
    where the set is made of videos (see `detrt.data.clips`), of whose frames every `every`th is a picture.
    """

    name: str
    split: str
    classes: tuple[str, ...]
    pictures: tuple[Picture, ...]
    read_image: Callable[[Picture], Image]
    notices: tuple[Notice, ...] = field(default=())
    on_disk: bool = True
    whole: bool = False
    labelled: bool = True
    steps: int | None = None
    every: int = 1

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[Picture]:
        return iter(self.pictures)

    def load(self, index: int) -> Sample:
        """Reads picture `index`. Raises DetrtError if it cannot be read."""
        picture = self.pictures[index]
        return Sample(picture.id, picture.path, self.read_image(picture), picture.annotation)

    def first(self, count: int) -> DataSet:
        """Only the first `count` pictures."""
        return replace(self, pictures=self.pictures[:count])

    def box_count(self) -> int:
        return sum(len(picture.annotation) for picture in self.pictures)

    def hash(self) -> str:
        """sha256 over names, file sizes, classes and labels; the same on every machine that holds the same files."""
        digest = hashlib.sha256(repr((self.split, self.classes)).encode())
        for picture in self.pictures:
            size = picture.path.stat().st_size if self.on_disk and picture.path.is_file() else 0
            digest.update(repr((picture.id, picture.path.name, size)).encode())
            for array in (picture.annotation.boxes, picture.annotation.labels, picture.annotation.crowd):
                digest.update(array.tobytes())
        return digest.hexdigest()

"""Learning the classes of whole pictures: what a classifier's pretraining is scored by, and what it looks like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from detrt.data.sample import Image
from detrt.draw import RIGHT, WRONG, captioned, contact_sheet
from detrt.errors import DetrtError
from detrt.evaluate.classifying import classified
from detrt.train.task import SPLITS, DataTask, in_order

SHOWN = 24
"""Pictures of the sheet that each best validation leaves."""
COLUMNS = 6
SIDE = 160
"""Pixels of one of them."""


class ClassificationTask(DataTask):
    """A model with a softmax head on a set of class folders."""

    def check_labels(self, say: Callable[[str], None]) -> None:
        """As for every task; besides, all splits number the same classes in the same order, and the head's names are
        those. Raises DetrtError where a label would mean something else.
        """
        for split in (split for split in SPLITS if self.has_split(split)):
            dataset, trained = self.dataset(split), self.dataset("train").classes
            if not dataset.whole:
                raise DetrtError(
                    f"a classifier learns one label a picture, and the pictures of `{self.name}` have boxes",
                    f"data.{self.name}.format",
                    "name a set of class folders: data.folders(..)",
                )
            if dataset.classes != trained:
                raise DetrtError(
                    f"the classes of {split} are not those of train: {_difference(trained, dataset.classes)}",
                    f"data.{self.name}.{split}",
                    "make the folders alike, or list `classes` in the data block",
                )
        if sorted(self.classes) == sorted(trained) and tuple(self.classes) != trained:
            raise DetrtError(
                f"the head names its classes in another order than the data: {', '.join(self.classes[:6])}; the data "
                f"{', '.join(trained[:6])}",
                "model.heads.softmax.names",
                "leave `names` out, or list `classes` in the data block in that order",
            )
        super().check_labels(say)

    def score(self, split: str, detections: Sequence[Any], rule: str) -> dict[str, float]:
        """`top1` and `top5`; there is but one rule."""
        dataset = self.dataset(split)
        return classified(dataset, in_order(dataset, detections)).figures()

    def sheet(self, split: str, detections: Sequence[Any]) -> Image:
        """Pictures from all over a split, the same each time, with what was said of them in green where it is right, and
        else in red with the truth.
        """
        dataset = self.dataset(split)
        found = in_order(dataset, detections)
        which = np.unique(np.linspace(0, len(dataset) - 1, min(SHOWN, len(dataset))).round().astype(int))
        cells = []
        for index in which.tolist():
            truth, said = int(dataset.pictures[index].annotation.labels[0]), found[index]
            right = len(said) > 0 and int(said.labels[0]) == truth
            text = f"{self.classes[said.labels[0]]} {said.scores[0]:.2f}" if len(said) else "nothing"
            image = _square(dataset.load(index).image)
            caption = text if right else f"{text}, is {self.classes[truth]}"
            cells.append(captioned(image, caption, RIGHT if right else WRONG))
        return contact_sheet(cells, COLUMNS)


def _square(image: Image) -> Image:
    """The middle of a picture, SIDE pixels wide and high."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = image[top : top + side, left : left + side]
    return np.asarray(cv2.resize(middle, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _difference(trained: Sequence[str], others: Sequence[str]) -> str:
    """The names that only one of the two has."""
    parts = []
    for names, place in ((set(trained) - set(others), "only in train"), (set(others) - set(trained), "not in train")):
        if names:
            listed = sorted(names)
            more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
            parts.append(f"{', '.join(f'`{name}`' for name in listed[:5])}{more} {place}")
    return "; ".join(parts) or "they stand in another order"

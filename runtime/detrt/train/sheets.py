"""What a detector finds in a few pictures, beside what is there: the sheet that is kept with its best checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from detrt.data.sample import DataSet, Image, Sample
from detrt.draw import LEAST_SCORE, Mark, contact_sheet, draw
from detrt.heads.detections import Detections

SHOWN = 12
"""Pictures of a sheet."""
SIDE = 320
"""Pixels of a picture's longer side."""
MOST = 30
"""Detections that are drawn in a picture."""


def detection_sheet(dataset: DataSet, found: Sequence[Detections], classes: Sequence[str]) -> Image:
    """Pictures from all over a split, the same each time, with the surest detections and, in thin lines without text, the
    boxes that are there. uint8 BGR.
    """
    which = np.unique(np.linspace(0, len(dataset) - 1, min(SHOWN, len(dataset))).round().astype(int))
    return contact_sheet([_drawn(dataset.load(index), found[index], classes) for index in which.tolist()])


def _drawn(sample: Sample, found: Detections, classes: Sequence[str]) -> Image:
    height, width = sample.image.shape[:2]
    factor = SIDE / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = np.asarray(cv2.resize(sample.image, size, interpolation=cv2.INTER_AREA), np.uint8)
    truth = [_mark(box, "", label, True) for box, label in zip(sample.boxes * factor, sample.labels, strict=True)]
    sure = found.take(found.scores >= LEAST_SCORE).take(slice(MOST))
    texts = [f"{classes[label]} {score:.2f}" for label, score in zip(sure.labels, sure.scores, strict=True)]
    marks = [_mark(*entry, False) for entry in zip(sure.pixels(*size), texts, sure.labels, strict=True)]
    cell = np.full((SIDE, SIDE, 3), 255, np.uint8)
    cell[: size[1], : size[0]] = draw(small, [*truth, *marks[::-1]], least_side=1)
    return cell


def _mark(box: np.ndarray, text: str, label: int, thin: bool) -> Mark:
    x1, y1, x2, y2 = (float(side) for side in box)
    return Mark((x1, y1, x2, y2), text, int(label), thin)

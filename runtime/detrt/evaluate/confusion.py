"""Which class was taken for which: counts with a row for each true class and a column for what was said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detrt.data.sample import DataSet
from detrt.evaluate.matching import partners
from detrt.heads.detections import Detections

BACKGROUND = "background"
"""Last row: said, though nothing was there. Last column: missed."""


def confusion(dataset: DataSet, detections: Sequence[Detections], score: float, iou: float = 0.5) -> NDArray[np.int64]:
    """int64 [classes + 1, classes + 1], rows the truth, columns what was said by detections of at least `score`.

    A detection is held against the free box that it overlaps most, of whatever class, by at least `iou`. Crowd regions and
    difficult boxes count nowhere.
    """
    count = len(dataset.classes)
    table = np.zeros((count + 1, count + 1), np.int64)
    for picture, found in zip(dataset.pictures, detections, strict=True):
        truth = picture.annotation
        ignored = truth.crowd | truth.difficult
        kept = found.take(found.scores >= np.float32(score))
        kept = kept.take(np.argsort(-kept.scores, kind="stable"))
        partner = partners(kept, truth, picture.width, picture.height, iou, by_class=False)
        missed = ~ignored
        for label, box in zip(kept.labels.tolist(), partner.tolist(), strict=True):
            if box < 0:
                table[count, label] += 1
            elif not ignored[box]:
                table[truth.labels[box], label] += 1
                missed[box] = False
        np.add.at(table[:, count], truth.labels[missed], 1)
    return table

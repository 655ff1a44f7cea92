"""Average precision by the rules of Pascal VOC at one IoU: 11 points (VOC 2007) or the area under the curve (since
2010).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detrt.data.sample import DataSet
from detrt.errors import DetrtError
from detrt.evaluate.result import ClassResult, Result
from detrt.heads.detections import Detections

Floats = NDArray[np.float64]


def score_voc(
    dataset: DataSet, detections: Sequence[Detections], iou: float = 0.5, eleven: bool = False, plus_one: bool = False
) -> Result:
    """VOC figures of a split; `detections[i]` belongs to `dataset.pictures[i]`.

    `eleven`: the 11-point rule of VOC 2007. The development kit adds 1 to every side because its corners are inclusive
    pixels; boxes here are edges, which comes to the same. `plus_one` adds it all the same, as do tools that give edges
    to the kit's formula. Difficult boxes and crowd regions are neither asked for nor counted as wrong.
    """
    if len(detections) != len(dataset):
        raise DetrtError(f"{len(detections)} pictures with detections, the split has {len(dataset)}")
    classes = []
    for number, name in enumerate(dataset.classes):
        hits, asked = _judge(dataset, detections, number, iou, plus_one)
        ap = average_precision(hits, asked, eleven) if asked else None
        classes.append(ClassResult(name, asked, ap, ap))
    known = [c.ap50 for c in classes if c.ap50 is not None]
    mean = float(np.mean(known)) if known else 0.0
    boxes = sum(c.boxes for c in classes)
    found = sum(len(d) for d in detections)
    return Result("voc", mean, mean, None, tuple(classes), len(dataset), boxes, found, iou)


def average_precision(hits: NDArray[np.bool_], asked: int, eleven: bool = False) -> float:
    """From detections, best first, right or wrong, and the number of boxes asked for."""
    right = np.cumsum(hits)
    recall = right / max(asked, 1)
    precision = right / np.arange(1, len(hits) + 1)
    if eleven:
        return float(np.mean([precision[recall >= t].max(initial=0.0) for t in np.arange(11) / 10]))
    recall = np.concatenate([[0.0], recall, [1.0]])
    precision = np.concatenate([[0.0], precision, [0.0]])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.flatnonzero(np.diff(recall))
    return float(((recall[steps + 1] - recall[steps]) * envelope[steps + 1]).sum())


def _judge(
    dataset: DataSet, detections: Sequence[Detections], label: int, threshold: float, plus_one: bool
) -> tuple[NDArray[np.bool_], int]:
    """Right or wrong for each detection of the class, best first over all pictures, ignored ones left out; and the
    boxes asked for.
    """
    scores, verdicts, asked = [], [], 0
    for picture, found in zip(dataset.pictures, detections, strict=True):
        truth = picture.annotation.take(picture.annotation.labels == label)
        ignored = truth.crowd | truth.difficult
        asked += int((~ignored).sum())
        own = found.take(found.labels == label)
        order = np.argsort(-own.scores, kind="stable")
        boxes = own.pixels(picture.width, picture.height)[order]
        overlap = _iou(boxes.astype(np.float64), truth.boxes.astype(np.float64), 1.0 if plus_one else 0.0)
        taken = np.zeros(len(truth), bool)
        for row, score in zip(overlap, own.scores[order].tolist(), strict=True):
            best = int(row.argmax()) if len(row) else -1
            if best >= 0 and row[best] > threshold:
                if ignored[best]:
                    continue
                verdicts.append(not taken[best])
                taken[best] = True
            else:
                verdicts.append(False)
            scores.append(score)
    order = np.argsort(-np.asarray(scores), kind="stable")
    return np.asarray(verdicts, bool)[order], asked


def _iou(a: Floats, b: Floats, one: float) -> Floats:
    """Intersection over union [n, m] of boxes [n, 4] and [m, 4] whose sides are taken `one` longer."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    side = np.maximum(high - low + one, 0)
    inner = side[..., 0] * side[..., 1]
    area_a, area_b = (((x[:, 2:] - x[:, :2]) + one).prod(axis=1) for x in (a, b))
    return np.asarray(inner / (area_a[:, None] + area_b[None, :] - inner))

"""Average precision by the rules of COCO, with faster-coco-eval, or pycocotools as a referee."""

from __future__ import annotations

import contextlib
import gc
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from detrt.data.sample import DataSet
from detrt.errors import DetrtError
from detrt.evaluate.result import ClassResult, Result
from detrt.evaluate.summary import Summary, nothing_found, summary_of
from detrt.heads.detections import Detections

TOOLS = ("faster-coco-eval", "pycocotools")


def score_coco(
    dataset: DataSet, detections: Sequence[Detections], tool: str = "faster-coco-eval", iou: float | None = None
) -> Result:
    """COCO figures of a split; `detections[i]` belongs to `dataset.pictures[i]`, whose sizes must be known (see
    `check_labels`). With `iou` the average precision at that overlap alone, without the twelve figures.

    Crowd regions and difficult boxes are neither asked for nor counted as wrong. At most 100 detections a picture
    count.
    """
    if len(detections) != len(dataset):
        raise DetrtError(f"{len(detections)} pictures with detections, the split has {len(dataset)}")
    counts = _counts(dataset)
    boxes = sum(counts)
    with _without_garbage_collection():
        truth, found = _truth(dataset), _found(dataset, detections)
        if not truth["annotations"] or not found:
            return _nothing(dataset, boxes, len(found), iou)
        judge = _judged(truth, found, tool, iou)
    # [IoU, 101 recalls, classes]: of all areas, with the most detections
    precision = np.asarray(judge.eval["precision"])[:, :, :, 0, -1]
    classes = []
    for number, name in enumerate(dataset.classes):
        count = counts[number]
        own = precision[:, :, number]
        known = count > 0 and bool((own > -1).any())
        classes.append(ClassResult(name, count, _mean(own[0]) if known else None, _mean(own) if known else None))
    return Result(
        "coco",
        _mean(precision[0]),
        _mean(precision),
        _mean(precision[5]) if iou is None else None,
        tuple(classes),
        len(dataset),
        boxes,
        len(found),
        0.5 if iou is None else iou,
        _summary(judge) if iou is None else None,
    )


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """The tools take a dict a detection. Looking again and again for cycles among 500,000 of them costs a quarter of the time."""
    active = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if active:
            gc.enable()


def _judged(truth: dict[str, Any], found: list[dict[str, Any]], tool: str, iou: float | None) -> Any:
    if tool == "faster-coco-eval":
        from faster_coco_eval import COCO, COCOeval_faster

        truth_set = COCO(truth)
        judge = COCOeval_faster(truth_set, truth_set.loadRes(found), "bbox", print_function=lambda *_: None)
    elif tool == "pycocotools":
        judge = _referee(truth, found)
    else:
        raise DetrtError(f"no scoring tool `{tool}`", "score", f"known: {', '.join(TOOLS)}")
    if iou is not None:
        judge.params.iouThrs = np.array([iou])
    with contextlib.redirect_stdout(io.StringIO()):
        judge.evaluate()
        judge.accumulate()
    return judge


def _summary(judge: Any) -> Summary:
    with contextlib.redirect_stdout(io.StringIO()):
        judge.summarize()
    return summary_of([float(value) for value in judge.stats])


def _referee(truth: dict[str, Any], found: list[dict[str, Any]]) -> Any:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise DetrtError("pycocotools is not installed", "score", "pip install pycocotools") from error
    with contextlib.redirect_stdout(io.StringIO()):
        truth_set = COCO()
        truth_set.dataset = truth
        truth_set.createIndex()
        return COCOeval(truth_set, truth_set.loadRes(found), "bbox")


def _truth(dataset: DataSet) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for number, picture in enumerate(dataset.pictures, 1):
        a = picture.annotation
        boxes = a.boxes.astype(float)
        sides = boxes[:, 2:] - boxes[:, :2]
        corner_and_size = np.concatenate([boxes[:, :2], sides], axis=1).tolist()
        areas = (sides.prod(axis=1) if a.areas is None else a.areas).tolist()
        for box, area, label, crowd in zip(
            corner_and_size, areas, a.labels.tolist(), (a.crowd | a.difficult).tolist(), strict=True
        ):
            row = {"id": len(annotations) + 1, "image_id": number, "category_id": label + 1, "iscrowd": int(crowd)}
            annotations.append(row | {"bbox": box, "area": area})
    return {
        "info": {},
        "images": [{"id": n, "width": p.width, "height": p.height} for n, p in enumerate(dataset.pictures, 1)],
        "annotations": annotations,
        "categories": [{"id": n, "name": name} for n, name in enumerate(dataset.classes, 1)],
    }


def _found(dataset: DataSet, detections: Sequence[Detections]) -> list[dict[str, Any]]:
    rows = []
    for number, (picture, found) in enumerate(zip(dataset.pictures, detections, strict=True), 1):
        boxes = found.pixels(picture.width, picture.height).astype(float)
        boxes[:, 2:] -= boxes[:, :2]
        for box, score, label in zip(boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True):
            rows.append({"image_id": number, "category_id": label + 1, "bbox": box, "score": score})
    return rows


def _mean(values: np.ndarray) -> float:
    known = values[values > -1]
    return float(known.mean()) if known.size else 0.0


def _counts(dataset: DataSet) -> list[int]:
    """Boxes to be found of each class."""
    labels = [p.annotation.labels[~(p.annotation.crowd | p.annotation.difficult)] for p in dataset]
    joined = np.concatenate(labels) if labels else np.zeros(0, np.int64)
    return [int(n) for n in np.bincount(joined, minlength=len(dataset.classes))]


def _nothing(dataset: DataSet, boxes: int, detections: int, iou: float | None) -> Result:
    classes = tuple(
        ClassResult(name, n, 0.0 if n else None, 0.0 if n else None)
        for name, n in zip(dataset.classes, _counts(dataset), strict=True)
    )
    summary = None if iou is not None else nothing_found()
    return Result("coco", 0.0, 0.0, 0.0, classes, len(dataset), boxes, detections, iou or 0.5, summary)

"""Average precision by the rules of COCO, with faster-coco-eval, or pycocotools as a referee."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from detrt.data.sample import DataSet
from detrt.errors import DetrtError
from detrt.evaluate.result import ClassResult, Result
from detrt.heads.detections import Detections

TOOLS = ("faster-coco-eval", "pycocotools")


def score_coco(dataset: DataSet, detections: Sequence[Detections], tool: str = "faster-coco-eval") -> Result:
    """COCO figures of a split; `detections[i]` belongs to `dataset.pictures[i]`, whose sizes must be known (see
    `check_labels`).

    Crowd regions and difficult boxes are neither asked for nor counted as wrong. At most 100 detections a picture
    count.
    """
    if len(detections) != len(dataset):
        raise DetrtError(f"{len(detections)} pictures with detections, the split has {len(dataset)}")
    truth, found = _truth(dataset), _found(dataset, detections)
    boxes = sum(not (p.annotation.crowd | p.annotation.difficult)[i] for p in dataset for i in range(len(p.annotation)))
    if not truth["annotations"] or not found:
        return _nothing(dataset, boxes, len(found))
    precision = _precision(truth, found, tool)  # [10 IoU, 101 recalls, classes]
    classes = []
    for number, name in enumerate(dataset.classes):
        count = _count(dataset, number)
        own = precision[:, :, number]
        known = count > 0 and bool((own > -1).any())
        classes.append(ClassResult(name, count, _mean(own[0]) if known else None, _mean(own) if known else None))
    return Result(
        "coco",
        _mean(precision[0]),
        _mean(precision),
        _mean(precision[5]),
        tuple(classes),
        len(dataset),
        boxes,
        len(found),
    )


def _precision(truth: dict[str, Any], found: list[dict[str, Any]], tool: str) -> np.ndarray:
    if tool == "faster-coco-eval":
        from faster_coco_eval import COCO, COCOeval_faster

        truth_set = COCO(truth)
        judge = COCOeval_faster(truth_set, truth_set.loadRes(found), "bbox", print_function=lambda *_: None)
    elif tool == "pycocotools":
        judge = _referee(truth, found)
    else:
        raise DetrtError(f"no scoring tool `{tool}`", "score", f"known: {', '.join(TOOLS)}")
    with contextlib.redirect_stdout(io.StringIO()):
        judge.evaluate()
        judge.accumulate()
    precision = np.asarray(judge.eval["precision"])
    return precision[:, :, :, 0, -1]  # all areas, most detections


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
        for box, label, crowd in zip(
            a.boxes.astype(float).tolist(), a.labels.tolist(), (a.crowd | a.difficult).tolist(), strict=True
        ):
            width, height = box[2] - box[0], box[3] - box[1]
            row = {"id": len(annotations) + 1, "image_id": number, "category_id": label + 1, "iscrowd": int(crowd)}
            annotations.append(row | {"bbox": [box[0], box[1], width, height], "area": width * height})
    return {
        "info": {},
        "images": [{"id": n, "width": p.width, "height": p.height} for n, p in enumerate(dataset.pictures, 1)],
        "annotations": annotations,
        "categories": [{"id": n, "name": name} for n, name in enumerate(dataset.classes, 1)],
    }


def _found(dataset: DataSet, detections: Sequence[Detections]) -> list[dict[str, Any]]:
    rows = []
    for number, (picture, found) in enumerate(zip(dataset.pictures, detections, strict=True), 1):
        boxes = found.pixels(picture.width, picture.height).astype(float).tolist()
        for box, score, label in zip(boxes, found.scores.tolist(), found.labels.tolist(), strict=True):
            corner_and_size = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            rows.append({"image_id": number, "category_id": label + 1, "bbox": corner_and_size, "score": score})
    return rows


def _mean(values: np.ndarray) -> float:
    known = values[values > -1]
    return float(known.mean()) if known.size else 0.0


def _count(dataset: DataSet, label: int) -> int:
    return sum(
        int(((p.annotation.labels == label) & ~p.annotation.crowd & ~p.annotation.difficult).sum()) for p in dataset
    )


def _nothing(dataset: DataSet, boxes: int, detections: int) -> Result:
    counts = [_count(dataset, number) for number in range(len(dataset.classes))]
    classes = tuple(
        ClassResult(name, n, 0.0 if n else None, 0.0 if n else None)
        for name, n in zip(dataset.classes, counts, strict=True)
    )
    return Result("coco", 0.0, 0.0, 0.0, classes, len(dataset), boxes, detections)

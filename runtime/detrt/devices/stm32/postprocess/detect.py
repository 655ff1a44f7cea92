"""The integer post-processing of one picture in numpy: exactly what the C code computes (see `form` for the formulas)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detrt.devices.stm32.arithmetic import LOW, Int8, Int32, Int64
from detrt.devices.stm32.postprocess.form import Classifier, Detector, Field, Form, Map
from detrt.devices.stm32.postprocess.suppress import suppress
from detrt.devices.stm32.postprocess.tables import ONE_BOX, ONE_SCORE, UNIT_BITS

FARTHEST = 1 << 20
"""No centre and no half size is farther from 0 than this: 16 canvases."""
WHOLE = (0, 0, ONE_BOX, ONE_BOX)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Best first: `boxes` int64 [n, 4] x1 y1 x2 y2 in 1/65536 of the canvas, `scores` [n] in 1/2^24, `labels` [n]."""

    boxes: Int64
    scores: Int64
    labels: Int64


def detect(form: Form, outputs: Sequence[Int8]) -> Found:
    """What a head finds in its int8 tensors, in the order in which the form counts them."""
    flat = [np.asarray(output, np.int8).reshape(-1).astype(np.int64) for output in outputs]
    return _classes(form, flat[0]) if isinstance(form, Classifier) else _boxes(form, flat)


def _classes(form: Classifier, numbers: Int64) -> Found:
    best = np.argsort(-numbers, kind="stable")[: form.top]
    share = _shares(form.chance, numbers[None])[0, best]
    return Found(np.tile(np.array(WHOLE, np.int64), (len(best), 1)), share, best.astype(np.int64))


def _boxes(form: Detector, flat: Sequence[Int64]) -> Found:
    numbers, scores = [], []
    first = 0
    for one in form.maps:
        places, score = _scores(form, one, flat)
        entered = score > form.score
        numbers.append(places[entered] + first * form.classes)
        scores.append(score[entered])
        first += one.cells * one.boxes
    number, score = np.concatenate(numbers), np.concatenate(scores)
    order = np.lexsort((number, -score))[: form.candidates]
    number, score = number[order], score[order]
    label, boxes = number % form.classes, _places(form, number // form.classes, flat)
    kept = suppress(boxes, label, form.nms, form.agnostic, form.detections)
    return Found(boxes[kept], score[kept], label[kept])


def _scores(form: Detector, one: Map, flat: Sequence[Int64]) -> tuple[Int64, Int64]:
    """Numbers of candidates, from the map's first, and their scores, int64 [k, classes] or, if `best`, [k, 1]."""
    cell, box = (index.reshape(-1) for index in np.indices((one.cells, one.boxes)))
    if one.confidence is not None and one.sure is not None:
        confidence = _read(one.confidence, flat, cell, box, 1)[:, 0]
        least = min(one.least, int(confidence.max())) if form.loudest else one.least
        counts = confidence >= least
        cell, box, confidence = cell[counts], box[counts], confidence[counts]
    chances = _read(one.classes, flat, cell, box, form.classes + form.background)
    place = box * one.cells + cell if form.boxes_first else cell * one.boxes + box
    number = place[:, None] * form.classes + np.arange(form.classes)
    best = chances.argmax(axis=1)[:, None] if form.best else None
    chance = _shares(one.chance, chances) if form.softmax else one.chance[chances - LOW].astype(np.int64)
    if best is not None:
        number, chance = np.take_along_axis(number, best, 1), np.take_along_axis(chance, best, 1)
    elif form.background:
        chance = chance[:, 1:]
    if one.sure is not None:
        chance = (one.sure[confidence - LOW].astype(np.int64)[:, None] * chance + ONE_SCORE // 2) // ONE_SCORE
    return number, chance


def _shares(weights: Int32, numbers: Int64) -> Int64:
    """Shares of a softmax over the last axis, 2^24 a whole, by the powers of how far each number lies below the largest."""
    power = weights[numbers.max(axis=1, keepdims=True) - numbers].astype(np.int64)
    total = power.sum(axis=1, keepdims=True)
    share: Int64 = (power * ONE_SCORE + total // 2) // total
    return share


def _places(form: Detector, place: Int64, flat: Sequence[Int64]) -> Int64:
    """Boxes [n, 4] by their numbers [n]."""
    boxes = np.zeros((len(place), 4), np.int64)
    first = 0
    for one in form.maps:
        mine = (place >= first) & (place < first + one.cells * one.boxes)
        within = place[mine] - first
        box, cell = np.divmod(within, one.cells) if form.boxes_first else np.divmod(within, one.boxes)[::-1]
        rule = _sides if form.bins else _centred
        boxes[mine] = rule(form, one, cell, box, flat)
        first += one.cells * one.boxes
    return boxes


def _centred(form: Detector, one: Map, cell: Int64, box: Int64, flat: Sequence[Int64]) -> Int64:
    q = _read(one.place, flat, cell, box, 4)
    origin = np.stack([one.x[cell % one.columns], one.y[cell // one.columns]], axis=1).astype(np.int64)
    units = one.units[box].astype(np.int64)
    centre = np.clip(origin + _times(one.offset[q[:, :2] - LOW], units[:, :2]), -FARTHEST, FARTHEST)
    half = np.clip(_times(one.size[q[:, 2:] - LOW], units[:, 2:]), -FARTHEST, FARTHEST)
    return np.concatenate([centre - half, centre + half], axis=1)


def _sides(form: Detector, one: Map, cell: Int64, box: Int64, flat: Sequence[Int64]) -> Int64:
    q = _read(one.place, flat, cell, box, 4 * form.bins).reshape(-1, 4, form.bins)
    weight = one.size[q.max(axis=2, keepdims=True) - q].astype(np.int64)
    total = weight.sum(axis=2)
    mean = ((weight * np.arange(form.bins)).sum(axis=2) * ONE_BOX + total // 2) // total
    far = _times(mean, one.units[box][:, [0, 1, 0, 1]].astype(np.int64))
    origin = np.stack([one.x[cell % one.columns], one.y[cell // one.columns]], axis=1).astype(np.int64)
    return np.concatenate([origin - far[:, :2], origin + far[:, 2:]], axis=1).clip(0, ONE_BOX)


def _times(values: Int32, units: Int64) -> Int64:
    product: Int64 = (values.astype(np.int64) * units + (1 << (UNIT_BITS - 1))) >> UNIT_BITS
    return product


def _read(field: Field, flat: Sequence[Int64], cell: Int64, box: Int64, count: int) -> Int64:
    """The first `count` numbers of boxes [n] of cells [n]: int64 [n, count]."""
    start = field.first + cell * field.cell + box * field.box
    numbers: Int64 = flat[field.output][start[:, None] + np.arange(count)]
    return numbers

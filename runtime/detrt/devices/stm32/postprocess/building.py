"""What the forms of all kinds of heads are made with: checked shapes, and real numbers as whole ones, computed exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from detrt.devices.stm32.arithmetic import Int32
from detrt.devices.stm32.postprocess.form import CANDIDATES, Detector, Form, Map
from detrt.devices.stm32.postprocess.tables import LARGEST, ONE_BOX, ONE_SCORE, UNIT_BITS
from detrt.devices.stm32.program import Tensor
from detrt.errors import DetrtError
from detrt.heads.options import DetectorOptions

Outputs = Sequence[Sequence[Tensor]]
"""For each output that a head reads its tensors."""
Builder = Callable[[Mapping[str, Any], Outputs], Form]

MOST_CLASSES = 4096
"""A share of a softmax is off by at most one 2^17th a class."""
MOST_NUMBERS = 1 << 31


def sides(tensor: Tensor, channels: int, kind: str) -> tuple[int, int]:
    """Rows and columns of a map [rows, columns, channels]. Raises DetrtError for another."""
    if len(tensor.shape) != 3 or tensor.shape[2] != channels:
        raise DetrtError(
            f"the head expects {channels} channels of `{tensor.name}`, the model gives {tensor.shape}",
            f"model.heads.{kind}",
        )
    return tensor.shape[0], tensor.shape[1]


def paired(tensors: Sequence[Tensor], each: Sequence[Any], kind: str) -> None:
    """Raises DetrtError unless there is one of `each` for every map."""
    if len(tensors) != len(each):
        raise DetrtError(f"the head expects {len(each)} maps, the model gives {len(tensors)}", f"model.heads.{kind}")


def positions(values: Sequence[Fraction]) -> Int32:
    """Shares of the canvas in 1/65536: int32."""
    return _rounded([value * ONE_BOX for value in values])


def steps(count: int, each: Fraction) -> Int32:
    """Where `count` cells of a map begin, one `each` of the canvas behind the other: int32 [count] in 1/65536."""
    return positions([each * number for number in range(count)])


def units(rows: Sequence[tuple[Fraction, Fraction, Fraction, Fraction]]) -> Int32:
    """Factors of offsets and sizes, shares of the canvas, in 1/2^24: int32 [boxes, 4]."""
    return _rounded([value * (1 << UNIT_BITS) for row in rows for value in row]).reshape(-1, 4)


def _rounded(values: Sequence[Fraction]) -> Int32:
    whole = [max(-LARGEST, min(LARGEST, round(value))) for value in values]
    return np.array(whole, np.int32)


def score_of(threshold: float) -> int:
    """A threshold in 1/2^24, rounded down: a score above it in whole numbers is above it."""
    return math.floor(Fraction(max(-64.0, min(64.0, threshold))) * ONE_SCORE)


def detector(
    kind: str,
    options: DetectorOptions,
    maps: Sequence[Map],
    *,
    softmax: bool = False,
    background: bool = False,
    best: bool = False,
    loudest: bool = False,
    boxes_first: bool = False,
    bins: int = 0,
) -> Detector:
    """The form of a head with the thresholds of its options. Raises DetrtError for what whole numbers do not do."""
    place = f"model.heads.{kind}"
    if options.soft != "none":
        raise DetrtError(
            f"whole numbers have no soft suppression `{options.soft}`",
            f"{place}.soft",
            "leave `soft` out of the head",
        )
    if options.classes > MOST_CLASSES:
        raise DetrtError(f"{options.classes} classes", f"{place}.classes", f"at most {MOST_CLASSES} in whole numbers")
    places = sum(one.cells * one.boxes for one in maps)
    if places * options.classes >= MOST_NUMBERS:
        raise DetrtError(f"{places} boxes of {options.classes} classes are too many to number", place)
    return Detector(
        maps=tuple(maps),
        classes=options.classes,
        softmax=softmax,
        background=background,
        best=best,
        loudest=loudest,
        boxes_first=boxes_first,
        bins=bins,
        score=score_of(options.score),
        nms=round(Fraction(options.nms) * ONE_BOX),
        agnostic=options.agnostic,
        candidates=candidates(places if best else places * options.classes, options.max_detections),
        detections=options.max_detections,
    )


def candidates(possible: int, detections: int) -> int:
    """How many boxes compete, of `possible` ones: all, or the best 512, or as many as may be found if that is more."""
    return min(possible, max(CANDIDATES, detections))

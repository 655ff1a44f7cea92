"""The kinds of heads: the options of each, the loss they train with, and the channels their tensors must have.

A later family of detectors adds its entry to HEADS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from detc.semantics.schema.key import Key, Schema
from detc.semantics.schema.kind import Flag, ListOf, Maybe, Number, Text

_COUNT = Number(whole=True, low=1)
_SHARE = Number(low=0, high=1)
_WEIGHT = Number(low=0)


@dataclass(eq=False, repr=False)
class HeadKind:
    """`outputs`: how many tensors it reads; `channels`: what each must have, `formula` how that is said; `loss`: stage keys."""

    schema: Schema
    loss: tuple[Key, ...]
    outputs: int
    channels: Callable[[Mapping[str, Any]], int]
    formula: str
    grid: bool


GNETDET = HeadKind(
    Schema(
        "a gnetdet head",
        (
            Key("boxes", _COUNT, 2, "boxes a cell"),
            Key("classes", _COUNT, example="classes = classes"),
            Key("names", Maybe(ListOf(Text(), least=1)), None, "names of the classes; none takes those of the data"),
            Key("conf", _SHARE, 0.1, "least confidence of a box"),
            Key("score", _SHARE, 0.1, "least confidence times class probability"),
            Key("nms", _SHARE, 0.5, "overlap (IoU) above which the lesser of two boxes goes"),
            Key("agnostic", Flag(), True, "boxes of different classes suppress each other"),
            Key("max_detections", _COUNT, 100, "boxes a picture"),
        ),
    ),
    loss=(
        Key("loss.loc", _WEIGHT, 5.0, "place and size of the responsible box"),
        Key("loss.contain", _WEIGHT, 2.0, "confidence of the responsible box against its IoU"),
        Key("loss.not_contain", _WEIGHT, 1.0, "confidence of the other box"),
        Key("loss.noobj", _WEIGHT, 0.005, "confidence in cells without an object"),
        Key("loss.cls", _WEIGHT, 1.0, "classes of object cells"),
        Key(
            "loss.norm_init",
            Maybe(Number(above=0)),
            100.0,
            "start of the moving normaliser; none: the first batch's count",
        ),
        Key("loss.norm_momentum", Number(low=0, below=1), 0.9, "share of the normaliser's old value"),
        Key("loss.detach_iou", Flag(), False, "no gradient through the IoU that confidence aims at"),
        Key("loss.sqrt_eps", _WEIGHT, 0.0, "added under the root of width and height"),
        Key("loss.class_weights", Maybe(ListOf(_WEIGHT, least=1)), None, "a factor for each class"),
        Key("loss.dead", _WEIGHT, 0.0, "pushes outputs back that the last ReLU holds at 0"),
    ),
    outputs=1,
    channels=lambda options: options["boxes"] * 5 + options["classes"],
    formula="boxes * 5 + classes",
    grid=True,
)
"""Thresholds as in the MDK's layers/decoder.py, loss as in its layers/loss.py."""

HEADS: dict[str, HeadKind] = {"gnetdet": GNETDET}
"""Heads by the word after `head`."""

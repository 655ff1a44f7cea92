"""The options that all heads share; the numbers are each family's own."""

from __future__ import annotations

from typing import Any

from detc.semantics.schema.key import REQUIRED, Key
from detc.semantics.schema.kind import Flag, ListOf, Maybe, Number, Text, Word

COUNT = Number(whole=True, low=1)
SHARE = Number(low=0, high=1)
WEIGHT = Number(low=0)
POSITIVE = Number(above=0)

CLASSES = Key("classes", COUNT, REQUIRED, "how many kinds of objects", example="classes = classes")
DERIVED_CLASSES = Key("classes", Maybe(COUNT), None, "how many kinds of objects; none counts the channels")
NAMES = Key("names", Maybe(ListOf(Text(), least=1)), None, "names of the classes; none takes those of the data")


def decoding(
    *, score: float, nms: float, conf: float | None = None, agnostic: bool = False, most: int = 100
) -> tuple[Key, ...]:
    """The options of decoding with a family's defaults; `conf` only where a confidence stands beside the classes."""
    front: tuple[Any, ...] = ()
    if conf is not None:
        front = (Key("conf", SHARE, conf, "least confidence of a box"),)
    return (
        *front,
        Key("score", SHARE, score, "least final score: confidence times class probability"),
        Key("nms", SHARE, nms, "overlap (IoU) above which the lesser of two boxes goes"),
        Key("agnostic", Flag(), agnostic, "boxes of different classes suppress each other"),
        Key(
            "soft", Word(("none", "linear", "gaussian")), "none", "the lesser of two boxes loses score instead of going"
        ),
        Key("max_detections", COUNT, most, "boxes a picture"),
    )

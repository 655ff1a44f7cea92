"""The keys of data blocks, by format. A block is read without touching the disk."""

from __future__ import annotations

from detc.semantics.schema.key import Key, Schema
from detc.semantics.schema.kind import Flag, ListOf, Maybe, Number, Span, Text, Word

ROOT = Key("root", Text(path=True), doc="folder of the set, relative to the spec", example='root = path("data/mine")')
CLASSES = (
    Key(
        "classes",
        Maybe(ListOf(Text(), least=1)),
        None,
        "names in the order of their numbers; fewer than the set has make a subset",
    ),
    Key("classes_file", Maybe(Text(path=True)), None, "a file with one name a line, relative to root"),
)
_IMAGES = Number(whole=True, low=1, high=1_000_000, unit="images")
SHAPES = ("disc", "square", "triangle", "ring", "cross")
"""What the synthetic generator can draw."""

FORMATS: dict[str, Schema] = {
    "voc": Schema(
        "data.voc",
        (
            ROOT,
            *CLASSES,
            Key("train", Text(), "train", "list of pictures in ImageSets/Main"),
            Key("val", Maybe(Text()), "val"),
            Key("test", Maybe(Text()), None, "never used to choose; none if there is none"),
            Key("difficult", Flag(), True, "keep boxes that are marked difficult"),
        ),
    ),
    "coco": Schema(
        "data.coco",
        (
            ROOT,
            *CLASSES,
            Key("train", Text(), "train2017", "folder of pictures, and the {split} of `annotations`"),
            Key("val", Maybe(Text()), "val2017"),
            Key("test", Maybe(Text()), None),
            Key("annotations", Text(), "annotations/instances_{split}.json", "where the labels of a split are"),
            Key("crowd", Flag(), False, "learn from boxes that are marked as crowds"),
        ),
    ),
    "synthetic": Schema(
        "data.synthetic",
        (
            Key("classes", ListOf(Word(SHAPES), least=1), ["disc", "square", "triangle"]),
            Key("train", _IMAGES, 200),
            Key("val", Maybe(_IMAGES), 50),
            Key("test", Maybe(_IMAGES), None),
            Key(
                "size",
                ListOf(Number(whole=True, low=32, high=4096, unit="px", bare=True), length=2),
                [224, 224],
                "width and height",
            ),
            Key("objects", Span(0, 32, whole=True), [1, 4], "objects a picture"),
            Key("seed", Number(whole=True, low=0, high=2**63 - 1), 0),
        ),
    ),
    "images": Schema(
        "data.images",
        (
            ROOT,
            *CLASSES,
            Key("train", Text(path=True), ".", "folder of pictures, without labels: for calibration"),
            Key("val", Maybe(Text(path=True)), None),
            Key("test", Maybe(Text(path=True)), None),
        ),
    ),
}
"""Formats by the word after `data.`"""

SPLITS = ("train", "val", "test")

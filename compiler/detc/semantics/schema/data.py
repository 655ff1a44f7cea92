"""The keys of data blocks, by format. A block is read without touching the disk."""

from __future__ import annotations

from detc.semantics.schema.key import Key, Schema
from detc.semantics.schema.kind import Choice, Flag, Kind, ListOf, Maybe, Number, Span, Text, Word
from detc.semantics.schema.split import Split

ROOT = Key("root", Text(path=True), doc="folder of the set, relative to the spec", example='root = path("data/mine")')
SPLITS = ("train", "val", "test")
SHAPES = ("disc", "square", "triangle", "ring", "cross")
"""What the synthetic generator can draw."""
BDD100K = (
    "pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle", "traffic light", "traffic sign",
)  # fmt: skip
"""Classes of the detection set of 2020, in the order of its documentation (bdd100k/bdd100k@243c84b, doc/categories)."""
BDD100K_TRACK = (
    "bicycle", "bus", "car", "motorcycle", "other person", "other vehicle", "pedestrian", "rider", "trailer", "train", "truck",
)  # fmt: skip
"""All categories of the tracking set by name, as lava-dl numbers them (lava-nc/lava-dl@2e6180c, dataset/bdd100k.py)."""

_PATH = Text(path=True)
_IMAGES = Number(whole=True, low=1, high=1_000_000, unit="images")
_SEED = Key("seed", Number(whole=True, low=0, high=2**63 - 1), 0)
_STEPS = Number(whole=True, low=1, high=4096, unit="steps", bare=True)


def _classes(default: tuple[str, ...] | None = None) -> tuple[Key, ...]:
    return (
        Key(
            "classes",
            Maybe(ListOf(Text(), least=1)),
            None if default is None else list(default),
            "names in the order of their numbers; fewer than the set has make a subset",
        ),
        Key("classes_file", Maybe(_PATH), None, "a file with one name a line, relative to root"),
    )


def _splits(kind: Kind, train: str, val: str | None, doc: str = "") -> tuple[Key, ...]:
    return (
        Key("train", kind, train, doc),
        Key("val", Maybe(kind), val),
        Key("test", Maybe(kind), None, "never used to choose; none if there is none"),
    )


_SIZE = Key(
    "size", Maybe(Number(whole=True, low=0, unit="GiB")), None, "bytes at most; none: a quarter of the free memory"
)
_DISK = Schema(
    "cache = disk",
    (
        Key("folder", Maybe(_PATH), None, "none: detc/pictures in the user's cache folder"),
        Key("size", Number(whole=True, low=0, unit="GiB"), 20 * 2**30, "bytes at most"),
    ),
)
CACHE = Key(
    "cache",
    Maybe(Choice({"ram": Schema("cache = ram", (_SIZE,)), "disk": _DISK})),
    {"name": "ram", "size": None},
    "where decoded pictures are kept: ram, disk(folder = .., size = 20 GiB), or none",
)
QUANTIZATION_SPLIT = Key(
    "quantization_split",
    Maybe(Number(above=0, below=1)),
    None,
    "share of the training pictures that a calibration runs through the net, chosen by name",
)
LABELLED = (
    Key(
        "validation_split",
        Maybe(Number(above=0, below=1)),
        None,
        "share of the training pictures that is held back as val, chosen by `seed`",
    ),
    _SEED,
    QUANTIZATION_SPLIT,
    CACHE,
)
NAMES = Key("names", Maybe(_PATH), None, "data.yaml, or one name a line: what the numbers of the label files mean")

_VOC = Schema(
    "split",
    (
        Key("list", Maybe(Split(Schema("split", ()), several=True)), None, "none: every label file"),
        Key("images", _PATH, "JPEGImages"),
        Key("annotations", _PATH, "Annotations"),
    ),
)
_IMAGES_AND_LABELS = Schema(
    "split",
    (
        Key("images", _PATH, doc="folder of the pictures", example='images = "images/train"'),
        Key("annotations", Maybe(_PATH), None, "where the labels are; none: there are none"),
    ),
)
_YOLO = Schema(
    "split",
    (
        Key(
            "images",
            Split(Schema("split", ()), several=True),
            doc="folders, or .txt lists",
            example='images = "images"',
        ),
        Key("labels", Maybe(_PATH), None, "folder of the label files"),
    ),
)
_LIST = Schema(
    "split",
    (
        Key("list", _PATH, doc="the list", example='list = "train.txt"'),
        Key("images", _PATH, ".", "folder of the pictures"),
    ),
)

FORMATS: dict[str, Schema] = {
    "voc": Schema(
        "data.voc",
        (
            ROOT,
            *_classes(),
            *_splits(
                Split(_VOC, several=True), "train", "val", 'lists in ImageSets/Main; "VOC2012/trainval" in VOC2012'
            ),
            Key("difficult", Flag(), True, "keep boxes that are marked difficult"),
            *LABELLED,
        ),
    ),
    "coco": Schema(
        "data.coco",
        (
            ROOT,
            *_classes(),
            *_splits(
                Split(_IMAGES_AND_LABELS),
                "train2017",
                "val2017",
                "folder of pictures, and the {split} of `annotations`",
            ),
            Key("annotations", Text(), "annotations/instances_{split}.json", "where the labels of a split are"),
            Key("crowd", Flag(), False, "learn from boxes that are marked as crowds"),
            *LABELLED,
        ),
    ),
    "yolo": Schema(
        "data.yolo",
        (
            ROOT,
            *_classes(),
            *_splits(
                Split(_YOLO, several=True), "images/train", "images/val", "folders of pictures, or .txt lists of them"
            ),
            NAMES,
            *LABELLED,
        ),
    ),
    "gnetdet": Schema(
        "data.gnetdet",
        (
            ROOT,
            *_classes(),
            *_splits(Split(_LIST), "train.txt", "valid.txt", "lists with a line `name x1 y1 x2 y2 class ..` a picture"),
            Key("images", _PATH, ".", "folder of the pictures"),
            NAMES,
            *LABELLED,
        ),
    ),
    "bdd100k": Schema(
        "data.bdd100k",
        (
            ROOT,
            *_classes(BDD100K),
            *_splits(Split(_IMAGES_AND_LABELS), "train", "val"),
            Key("images", Text(), "images/100k/{split}", "where the pictures of a split are"),
            Key("annotations", Text(), "labels/det_20/det_{split}.json", "where the labels of a split are"),
            Key("crowd", Flag(), False, "learn from boxes that are marked as crowds"),
            *LABELLED,
        ),
    ),
    "bdd100k_track": Schema(
        "data.bdd100k_track",
        (
            ROOT,
            Key("track", Text(), "box_track_20", "folder of the labels below labels/"),
            Key("steps", _STEPS, 32, "frames of a clip"),
            *_classes(BDD100K_TRACK),
            *_splits(Split(_IMAGES_AND_LABELS), "train", "val"),
            Key("images", Text(), "images/track/{split}", "where the videos of a split are"),
            Key("crowd", Flag(), False, "learn from boxes that are marked as crowds"),
            *LABELLED,
        ),
    ),
    "folders": Schema(
        "data.folders",
        (
            ROOT,
            *_classes(),
            *_splits(_PATH, "train", "val", "a folder with a folder of pictures for each class"),
            *LABELLED,
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
            Key(
                "steps", Maybe(_STEPS), None, "frames of a clip: the shapes move, and the pictures are frames of videos"
            ),
            Key("frames", Maybe(_STEPS), None, "frames of a video; none: as many as a clip has"),
            _SEED,
            QUANTIZATION_SPLIT,
        ),
    ),
    "images": Schema(
        "data.images",
        (
            ROOT,
            *_classes(),
            *_splits(_PATH, ".", None, "folder of pictures, without labels: for calibration"),
            QUANTIZATION_SPLIT,
            CACHE,
        ),
    ),
    "video": Schema(
        "data.video",
        (
            ROOT,
            *_classes(),
            *_splits(_PATH, ".", None, "a video file or a folder of them, without labels: for calibration"),
            Key("every", Number(whole=True, low=1, high=100_000), 1, "take each nth frame only"),
            QUANTIZATION_SPLIT,
            CACHE,
        ),
    ),
}
"""Formats by the word after `data.`"""
NUMBERED = ("yolo", "gnetdet")
"""Formats whose label files have numbers for classes."""
UNLABELLED = ("images", "video")
"""Formats of pictures that nothing says anything about."""

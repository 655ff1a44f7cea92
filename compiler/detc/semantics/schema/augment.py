"""What training does to its pictures: the steps of `augment`, and the sizes of `multiscale`. The page of the lock says
what each does.
"""

from __future__ import annotations

from detc.semantics.schema.key import Key, Schema
from detc.semantics.schema.kind import Flag, ListOf, Number, Span

PROBABILITY = Number(low=0, high=1)

_P = Key("p", PROBABILITY, 0.5, "probability that a picture gets it")
_SCALE = Span(0.05, 20)

AUGMENTS = {
    "mosaic": Schema("mosaic", (Key("scale", _SCALE, [0.5, 1.5], "factor of the four pictures"), _P)),
    "mixup": Schema("mixup", (Key("scale", _SCALE, [0.5, 1.5], "factor of the other picture"), _P)),
    "flip": Schema("flip", (_P,)),
    "hsv": Schema(
        "hsv", (Key("range", Span(0, 10, around=1.0), [0.5, 1.5], "factor of hue, saturation and value"), _P)
    ),
    "photometric": Schema(
        "photometric",
        (
            Key("brightness", Span(-255, 255, around=0.0), [-32, 32], "levels of 0 .. 255 added"),
            Key("contrast", Span(0, 10, around=1.0), [0.5, 1.5], "factor"),
            Key("saturation", Span(0, 10, around=1.0), [0.5, 1.5], "factor"),
            Key("hue", Span(-180, 180, around=0.0), [-18, 18], "degrees added"),
            Key("swap", Flag(), True, "whether channels change places"),
            Key("p", PROBABILITY, 0.5, "probability of each of them"),
        ),
    ),
    "scale": Schema("scale", (Key("range", _SCALE, [0.8, 1.2], "factor of the width"), _P)),
    "shift": Schema("shift", (Key("range", Span(-1, 1, around=0.0), [-0.2, 0.2], "share of width and height"), _P)),
    "crop": Schema("crop", (Key("range", Span(0.01, 1), [0.6, 1.0], "share that is kept"), _P)),
    "affine": Schema(
        "affine",
        (
            Key("degrees", Span(-180, 180, around=0.0), [-10, 10], "turned by"),
            Key("translate", Span(-1, 1, around=0.0), [-0.1, 0.1], "share of width and height moved by"),
            Key("scale", _SCALE, [1.0, 1.0], "enlarged by"),
            Key("shear", Span(-60, 60, around=0.0), [-2, 2], "degrees leant by, along both axes"),
            _P,
        ),
    ),
    "zoom_out": Schema("zoom_out", (Key("range", Span(1, 20), [1, 4], "sides of the grey canvas"), _P)),
    "ssd_crop": Schema(
        "ssd_crop",
        (
            Key("ious", ListOf(PROBABILITY, least=1), [0, 0.1, 0.3, 0.5, 0.7, 0.9], "least overlap, one is drawn"),
            Key("range", Span(0.01, 1), [0.3, 1.0], "share of width and of height that is kept"),
            Key("aspect", Span(0.01, 100), [0.5, 2.0], "width by height"),
            _P,
        ),
    ),
    "resized_crop": Schema(
        "resized_crop",
        (
            Key("area", Span(0.0001, 1), [0.08, 1.0], "share of the area that is kept"),
            Key("aspect", Span(0.01, 100), [0.75, 1.3333], "width by height"),
            _P,
        ),
    ),
    "blur": Schema("blur", (Key("kernel", Number(whole=True, low=1, high=99), 5, "pixels of the box"), _P)),
}

MIXING = ("mosaic", "mixup")
"""Steps that bring in other pictures of the set."""

LONGEST = 16_384
MOST_SIZES = 100

SIZES = {
    "sizes": Schema(
        "sizes",
        (
            Key("range", Span(1, LONGEST, whole=True), example="sizes(320 .. 640)", doc="longer side in pixels"),
            Key("step", Number(whole=True, low=1, high=LONGEST), 32, "between two sizes"),
        ),
    )
}
"""`multiscale = sizes(320 .. 640, step = 32)`: the size of each batch is drawn."""

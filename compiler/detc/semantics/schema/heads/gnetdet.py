"""The gnetdet head: a grid whose cells each hold a few boxes and one class distribution (GNetDet MDK)."""

from __future__ import annotations

from detc.semantics.schema.heads.kind import HeadKind, Placed
from detc.semantics.schema.heads.shared_options import CLASSES, COUNT, NAMES, WEIGHT, decoding
from detc.semantics.schema.key import Key, Schema
from detc.semantics.schema.kind import Flag, ListOf, Maybe, Number


def _check(head: Placed) -> None:
    if not head.maps():
        return
    (output,) = head.outputs
    options = head.options
    head.channels(output, 0, options["boxes"] * 5 + options["classes"], "boxes * 5 + classes")
    options["grid"] = list(head.grid or output.types[0].shape[1:])


GNETDET = HeadKind(
    Schema(
        "a gnetdet head",
        (
            Key("boxes", COUNT, 2, "boxes a cell"),
            CLASSES,
            NAMES,
            *decoding(conf=0.1, score=0.1, nms=0.5, agnostic=True),
        ),
    ),
    loss=(
        Key("loss.loc", WEIGHT, 5.0, "place and size of the responsible box"),
        Key("loss.contain", WEIGHT, 2.0, "confidence of the responsible box against its IoU"),
        Key("loss.not_contain", WEIGHT, 1.0, "confidence of the other box"),
        Key("loss.noobj", WEIGHT, 0.005, "confidence in cells without an object"),
        Key("loss.cls", WEIGHT, 1.0, "classes of object cells"),
        Key(
            "loss.norm_init",
            Maybe(Number(above=0)),
            100.0,
            "start of the moving normaliser; none: the first batch's count",
        ),
        Key("loss.norm_momentum", Number(low=0, below=1), 0.9, "share of the normaliser's old value"),
        Key("loss.detach_iou", Flag(), False, "no gradient through the IoU that confidence aims at"),
        Key("loss.sqrt_eps", WEIGHT, 0.0, "added under the root of width and height"),
        Key("loss.class_weights", Maybe(ListOf(WEIGHT, least=1)), None, "a factor for each class"),
        Key("loss.dead", WEIGHT, 0.0, "pushes outputs back that the last ReLU holds at 0"),
    ),
    reads=("grid",),
    check=_check,
    one_size=True,
    grid=True,
)
"""Thresholds as in the MDK's layers/decoder.py, loss as in its layers/loss.py."""

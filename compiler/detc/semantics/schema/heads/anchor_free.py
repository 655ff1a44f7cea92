"""The heads without anchors: yolox and nanodet."""

from __future__ import annotations

from detc.semantics.schema.heads import rules
from detc.semantics.schema.heads.kind import HeadKind, Output, Placed, size
from detc.semantics.schema.heads.shared_options import COUNT, DERIVED_CLASSES, NAMES, WEIGHT, decoding
from detc.semantics.schema.key import Key, Schema
from detc.semantics.schema.kind import ListOf, Maybe, Number

STRIDES = Key(
    "strides",
    Maybe(ListOf(COUNT, single=True, least=1)),
    None,
    "pixels of a cell of each map; none divides image by map",
)


def _check_strides(head: Placed, output: Output) -> bool:
    """Whether every map is the picture divided by its stride, rounded up; fills in strides that are not given."""
    given = head.options["strides"]
    if given is not None and not head.one_each("strides", output, len(given)):
        return False
    before = len(head.findings)
    height, width = head.image
    strides = []
    for index, type in enumerate(output.types):
        stride = given[index] if given is not None else max(1, round(height / type.height))
        allowed = (-(-height // stride), -(-width // stride))
        strides.append(stride)
        if allowed != (type.height, type.width):
            near = max(1, round(height / type.height))
            fits = (-(-height // near), -(-width // near)) == (type.height, type.width)
            remedy = f"write stride {near} for it" if fits else "say `strides = [..]`, or choose another image size"
            head.findings.append(
                rules.STRIDE(
                    head.spans.get("strides", output.span),
                    output=output.called(index),
                    actual=size(type),
                    stride=stride,
                    image=f"{height}x{width}",
                    allowed=f"{allowed[0]}x{allowed[1]}",
                    remedy=remedy,
                    related=output.made(index, f"gives {size(type)}"),
                )
            )
    head.options["strides"] = strides
    return len(head.findings) == before


def _check_yolox(head: Placed) -> None:
    if not head.maps() or not head.same_maps():
        return
    box, obj, cls = head.outputs
    _check_strides(head, box)
    head.derive_classes(cls, 1, 0, "classes")
    for index in range(len(box.types)):
        head.channels(box, index, 4, "4")
        head.channels(obj, index, 1, "1")
        head.channels(cls, index, head.options["classes"], "classes")


def _check_nanodet(head: Placed) -> None:
    if not head.maps():
        return
    (output,) = head.outputs
    _check_strides(head, output)
    formula = "classes + 4 * (reg_max + 1)"
    sides = 4 * (head.options["reg_max"] + 1)
    if head.derive_classes(output, 1, sides, formula):
        for index in range(len(output.types)):
            head.channels(output, index, head.options["classes"] + sides, formula)


YOLOX = HeadKind(
    Schema("a yolox head", (STRIDES, DERIVED_CLASSES, NAMES, *decoding(score=0.01, nms=0.65))),
    loss=(
        Key("loss.radius", Number(above=0), 1.5, "cells around an object's centre that may predict it"),
        Key("loss.iou", WEIGHT, 5.0, "overlap of the boxes"),
        Key("loss.obj", WEIGHT, 1.0, "confidence of all cells"),
        Key("loss.cls", WEIGHT, 1.0, "classes"),
        Key("loss.l1", WEIGHT, 1.0, "distance of the raw boxes, in the last epochs without augmentation"),
    ),
    reads=("box", "obj", "cls"),
    check=_check_yolox,
    lists=True,
)
"""Loss, assigner and thresholds of Megvii-BaseDetection/YOLOX@6ddff48."""

NANODET = HeadKind(
    Schema(
        "a nanodet head",
        (
            STRIDES,
            Key("reg_max", COUNT, 7, "largest distance of a side in strides: reg_max + 1 bins a side"),
            DERIVED_CLASSES,
            NAMES,
            *decoding(score=0.05, nms=0.6),
        ),
    ),
    loss=(
        Key("loss.qfl", WEIGHT, 1.0, "classes against the IoU (quality focal loss)"),
        Key("loss.dfl", WEIGHT, 0.25, "distances of the sides as distributions (distribution focal loss)"),
        Key("loss.giou", WEIGHT, 2.0, "generalised IoU of the boxes"),
        Key("loss.beta", WEIGHT, 2.0, "exponent of the quality focal loss"),
    ),
    reads=("maps",),
    check=_check_nanodet,
    lists=True,
)
"""Loss, assigner and thresholds of RangiLyu/nanodet@be9b4a9."""

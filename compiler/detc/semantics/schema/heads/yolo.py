"""The YOLO heads with anchors, and YOLOv1: what darknet, lava-dl and ST's model zoo call their options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detc.semantics.schema.heads import rules
from detc.semantics.schema.heads.kind import HeadKind, Output, Placed
from detc.semantics.schema.heads.shared_options import CLASSES, COUNT, NAMES, POSITIVE, SHARE, WEIGHT, decoding
from detc.semantics.schema.key import REQUIRED, Key, Schema
from detc.semantics.schema.kind import MISSING, Flag, Kind, ListOf, Maybe, Number, Word

if TYPE_CHECKING:
    from detc.semantics.reading import Reader
    from detc.syntax import tree

PAIRS = ListOf(ListOf(POSITIVE, length=2), least=1)
MAP_FORMULA = "anchors * (5 + classes)"


class Anchors(Kind):
    """Pairs (width, height) of every map, as a list of lists; one list stands for all maps."""

    @property
    def describe(self) -> str:
        return "a list of pairs (width, height) above 0, or such a list for each map"

    def read(self, expr: tree.Expr, at: Reader, key: str) -> Any:
        before = len(at.findings)
        value = at.plain(expr)
        if value is MISSING:
            return MISSING if len(at.findings) > before else at.wrong(expr, key, self.describe)
        if isinstance(value, list) and PAIRS.holds(value):
            return [value]
        lists = isinstance(value, list) and value and all(PAIRS.holds(pairs) for pairs in value)
        return value if lists else at.wrong(expr, key, self.describe)


def _check_flat(head: Placed) -> None:
    (output,) = head.outputs
    (type,) = output.types
    options = head.options
    if type.is_map:
        head.findings.append(rules.NOT_A_VECTOR(output.span, output=output.name, kind=head.kind, actual=str(type)))
    elif head.grid is None:
        remedy = f"write `head {head.kind} on {output.name} {{ grid = MAP .. }}`, MAP the last tensor before `flatten`"
        head.findings.append(rules.GRID(head.span, remedy=remedy))
    else:
        rows, columns = options["grid"] = list(head.grid)
        wanted = rows * columns * (options["boxes"] * 5 + options["classes"])
        head.channels(output, 0, wanted, f"{rows} * {columns} * (boxes * 5 + classes)")


def _check_anchors(head: Placed) -> None:
    if not head.maps():
        return
    (output,) = head.outputs
    options = head.options
    if len(options["anchors"]) == 1:
        options["anchors"] = options["anchors"] * len(output.types)
    if head.one_each("anchors", output, len(options["anchors"])):
        _check_channels(head, output, [len(pairs) for pairs in options["anchors"]])


def _check_masks(head: Placed) -> None:
    if not head.maps():
        return
    (output,) = head.outputs
    masks, count = head.options["masks"], len(head.options["anchors"])
    span = head.spans.get("masks", head.span)
    for number in sorted({number for mask in masks for number in mask if number >= count}):
        inside = f"0 .. {count - 1}"
        head.findings.append(rules.MASK(span, actual=number, allowed=count, range=inside))
    # pixels of a cell: they tell the size of the picture when training at several
    head.options["strides"] = [max(1, round(head.image[0] / type.height)) for type in output.types]
    if head.one_each("masks", output, len(masks)):
        _check_channels(head, output, [len(mask) for mask in masks])


def _check_channels(head: Placed, output: Output, anchors: list[int]) -> None:
    for index, count in enumerate(anchors):
        head.channels(output, index, count * (5 + head.options["classes"]), MAP_FORMULA, {"anchors": count})


YOLO_V1 = HeadKind(
    Schema(
        "a yolo_v1 head",
        (Key("boxes", COUNT, 2, "boxes a cell"), CLASSES, NAMES, *decoding(score=0.001, nms=0.5)),
    ),
    loss=(
        Key("loss.coord", WEIGHT, 5.0, "place and size of the responsible box"),
        Key("loss.noobj", WEIGHT, 0.5, "confidence of boxes that are not responsible"),
        Key("loss.obj", WEIGHT, 1.0, "confidence of the responsible box"),
        Key("loss.cls", WEIGHT, 1.0, "classes of object cells"),
        Key("loss.rescore", Flag(), True, "confidence aims at the IoU; false: at 1"),
    ),
    reads=("flat",),
    check=_check_flat,
    one_size=True,
    grid=True,
)
"""Loss and layout of pjreddie/darknet, src/detection_layer.c; thresholds of its validate_yolo."""

YOLO_V2 = HeadKind(
    Schema(
        "a yolo_v2 head",
        (
            Key(
                "anchors", Anchors(), REQUIRED, "(width, height) of each anchor", example="anchors = [(1.08, 1.19), ..]"
            ),
            Key(
                "unit", Word(("cells", "image")), "cells", "what anchors are measured in: cells, or shares of the image"
            ),
            CLASSES,
            NAMES,
            *decoding(score=0.005, nms=0.45),
        ),
    ),
    loss=(
        Key("loss.target", Word(("darknet", "st")), "darknet", "whose form of targets and loss"),
        Key("loss.coord", WEIGHT, 1.0, "place and size"),
        Key("loss.object", WEIGHT, 5.0, "confidence of responsible boxes"),
        Key("loss.noobject", WEIGHT, 1.0, "confidence of the others"),
        Key("loss.cls", WEIGHT, 1.0, "classes"),
        Key("loss.ignore", SHARE, 0.6, "a box that overlaps an object more than this is no false alarm"),
        Key("loss.rescore", Flag(), False, "confidence aims at the IoU; false: at 1"),
        Key(
            "loss.prior_images", Number(whole=True, low=0), 12800, "pictures at first that pull boxes to their anchors"
        ),
        Key("loss.prior", WEIGHT, 0.01, "weight of that pull"),
    ),
    reads=("map",),
    check=_check_anchors,
    lists=True,
)
"""Loss of pjreddie/darknet, src/region_layer.c with cfg/yolov2-tiny.cfg; thresholds of its validate_detector."""

YOLO_V3 = HeadKind(
    Schema(
        "a yolo_v3 head",
        (
            Key(
                "anchors", PAIRS, REQUIRED, "(width, height) of each anchor, pixels", example="anchors = [(10, 14), ..]"
            ),
            Key(
                "masks",
                ListOf(ListOf(Number(whole=True, low=0), least=1), least=1),
                REQUIRED,
                "which anchors each map predicts",
                example="masks = [[3, 4, 5], [0, 1, 2]]",
            ),
            CLASSES,
            NAMES,
            *decoding(score=0.005, nms=0.45),
        ),
    ),
    loss=(
        Key("loss.coord", WEIGHT, 1.0, "place and size"),
        Key("loss.obj", WEIGHT, 1.0, "confidence of responsible boxes"),
        Key("loss.noobj", WEIGHT, 1.0, "confidence of the others"),
        Key("loss.cls", WEIGHT, 1.0, "classes"),
        Key("loss.ignore", SHARE, 0.7, "a box that overlaps an object more than this is no false alarm"),
        Key("loss.truth", SHARE, 1.0, "a box that overlaps an object more than this is responsible too"),
    ),
    reads=("maps",),
    check=_check_masks,
    lists=True,
)
"""Loss of pjreddie/darknet, src/yolo_layer.c with cfg/yolov3-tiny.cfg; thresholds of its validate_detector."""

YOLO_SDNN = HeadKind(
    Schema(
        "a yolo_sdnn head",
        (
            Key(
                "anchors", Anchors(), REQUIRED, "(width, height) of each anchor", example="anchors = [(0.28, 0.22), ..]"
            ),
            Key("clamp", Number(above=0, high=80), 5.0, "bound of the exponent of width and height"),
            CLASSES,
            NAMES,
            *decoding(conf=0.5, score=0.0, nms=0.4, most=300),
        ),
    ),
    loss=(
        Key("loss.coord", WEIGHT, 1.0, "place and size"),
        Key("loss.noobj", WEIGHT, 2.0, "confidence where there is no object"),
        Key("loss.obj", WEIGHT, 2.0, "confidence of responsible boxes"),
        Key("loss.cls", WEIGHT, 4.0, "classes"),
        Key("loss.iou", WEIGHT, 2.0, "complete IoU of responsible boxes"),
        Key("loss.alpha_iou", SHARE, 0.8, "how far confidence aims at the IoU instead of 1"),
        Key("loss.label_smoothing", Number(low=0, below=1), 0.1, "share of the class target spread over all classes"),
        Key("loss.tgt_iou_thr", SHARE, 0.5, "overlap from which a taken anchor is left as it is"),
        Key("loss.track_iter", Maybe(COUNT), 1000, "steps between two records of the loss's terms"),
    ),
    reads=("map",),
    check=_check_anchors,
    lists=True,
)
"""Loss of lava-nc/lava-dl, object_detection/yolo_base.py with the defaults of its train_sdnn.py; its NMS's thresholds."""

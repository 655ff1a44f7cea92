"""The numbers of the YOLO heads and of their losses, read from the lock and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from detrt.errors import DetrtError
from detrt.heads.cells import check_strides
from detrt.heads.options import DetectorOptions, no_weight_below_0, read_detector_options, read_options

Pairs = tuple[tuple[float, float], ...]
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class V1Options(DetectorOptions):
    """`grid` rows and columns, `boxes` a cell. Thresholds of pjreddie/darknet, examples/yolo.c (validate_yolo)."""

    score: float = 0.001
    grid: tuple[int, int] = (0, 0)
    boxes: int = 2

    @property
    def features(self) -> int:
        """Length of the output: the classes of every cell, the confidences of every box, then the boxes."""
        return self.grid[0] * self.grid[1] * (self.classes + self.boxes * 5)


@dataclass(frozen=True, slots=True)
class V1Loss:
    """Weights, and whether confidence aims at the IoU; defaults of pjreddie/darknet, cfg/yolov1.cfg."""

    coord: float = 5.0
    noobj: float = 0.5
    obj: float = 1.0
    cls: float = 1.0
    rescore: bool = True


@dataclass(frozen=True, slots=True)
class V2Options(DetectorOptions):
    """`anchors` (width, height) a map, in `unit` cells or shares of the image. Thresholds of pjreddie/darknet,
    examples/detector.c (validate_detector).
    """

    score: float = 0.005
    nms: float = 0.45
    anchors: tuple[Pairs, ...] = ()
    unit: str = "cells"


@dataclass(frozen=True, slots=True)
class V2Loss:
    """Weights; `ignore`: IoU above which a box is no false alarm; `rescore`: confidence aims at the IoU; `prior` pulls
    boxes to their anchors in the first `prior_images` pictures. Defaults of pjreddie/darknet, cfg/yolov2-tiny.cfg.
    """

    target: str = "darknet"
    coord: float = 1.0
    object: float = 5.0
    noobject: float = 1.0
    cls: float = 1.0
    ignore: float = 0.6
    rescore: bool = False
    prior_images: int = 12800
    prior: float = 0.01


@dataclass(frozen=True, slots=True)
class V3Options(DetectorOptions):
    """`anchors` (width, height) in pixels of the net's input, `masks` which of them each map has, `strides` pixels of a
    cell of each map. Thresholds of pjreddie/darknet, examples/detector.c (validate_detector).
    """

    score: float = 0.005
    nms: float = 0.45
    anchors: Pairs = ()
    masks: tuple[tuple[int, ...], ...] = ()
    strides: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class V3Loss:
    """Weights; `ignore` and `truth`: IoUs above which a box is no false alarm, or responsible too. Defaults of
    pjreddie/darknet, cfg/yolov3-tiny.cfg.
    """

    coord: float = 1.0
    obj: float = 1.0
    noobj: float = 1.0
    cls: float = 1.0
    ignore: float = 0.7
    truth: float = 1.0


@dataclass(frozen=True, slots=True)
class SdnnOptions(DetectorOptions):
    """`anchors` (width, height) a map, in cells; `clamp` bounds the exponent of sizes; `conf` is the least confidence.
    Defaults of lava-nc/lava-dl@d825ac5, object_detection/yolo_base.py and boundingbox/utils.py.
    """

    conf: float = 0.5
    score: float = 0.0
    nms: float = 0.4
    max_detections: int = 300
    anchors: tuple[Pairs, ...] = ()
    clamp: float = 5.0


@dataclass(frozen=True, slots=True)
class SdnnLoss:
    """Weights, and the choices that SdnnTarget and sdnn_loss explain. Defaults of lava-nc/lava-dl@d825ac5,
    tiny_yolo_sdnn/train_sdnn.py.
    """

    coord: float = 1.0
    noobj: float = 2.0
    obj: float = 2.0
    cls: float = 4.0
    iou: float = 2.0
    alpha_iou: float = 0.8
    label_smoothing: float = 0.1
    tgt_iou_thr: float = 0.5
    track_iter: int | None = 1000


def read_v1(given: Mapping[str, Any], loss: Mapping[str, Any]) -> tuple[V1Options, V1Loss]:
    """Options of a yolo_v1 head and of its loss from the lock. Raises DetrtError."""
    place = "model.heads.yolo_v1"
    options = read_detector_options(V1Options, given, place)
    sides = (*options.grid, options.boxes) if len(options.grid) == 2 else (0,)
    if not all(isinstance(side, int) and 1 <= side <= 4096 for side in sides):
        raise DetrtError("a yolo_v1 head needs a grid and at least one box a cell", place)
    return options, _loss(V1Loss, loss)


def read_v2(given: Mapping[str, Any], loss: Mapping[str, Any]) -> tuple[V2Options, V2Loss]:
    """Options of a yolo_v2 head and of its loss from the lock. Raises DetrtError."""
    place = "model.heads.yolo_v2"
    options = read_detector_options(V2Options, given, place)
    _check_anchors(options.anchors, place)
    if options.unit not in ("cells", "image"):
        raise DetrtError(f"no unit `{options.unit}`", f"{place}.unit", "cells or image")
    weights = _loss(V2Loss, loss, "target")
    if weights.target not in ("darknet", "st"):
        raise DetrtError(f"no form of targets `{weights.target}`", "loss.target", "darknet or st")
    return options, weights


def read_v3(given: Mapping[str, Any], loss: Mapping[str, Any]) -> tuple[V3Options, V3Loss]:
    """Options of a yolo_v3 head and of its loss from the lock. Raises DetrtError."""
    place = "model.heads.yolo_v3"
    options = read_detector_options(V3Options, given, place)
    _check_anchors((options.anchors,), place)
    check_strides(options.strides, place)
    known = range(len(options.anchors))
    if not options.masks or not all(mask and all(n in known for n in mask) for mask in options.masks):
        raise DetrtError(f"`masks` are not lists of numbers 0 .. {len(known) - 1} of anchors", f"{place}.masks")
    if len(options.masks) != len(options.strides):
        raise DetrtError(f"{len(options.masks)} masks for {len(options.strides)} strides", f"{place}.masks")
    return options, _loss(V3Loss, loss)


def read_sdnn(given: Mapping[str, Any], loss: Mapping[str, Any]) -> tuple[SdnnOptions, SdnnLoss]:
    """Options of a yolo_sdnn head and of its loss from the lock. Raises DetrtError."""
    place = "model.heads.yolo_sdnn"
    options = read_detector_options(SdnnOptions, given, place)
    _check_anchors(options.anchors, place)
    if not 0 < options.clamp <= 80:
        raise DetrtError(f"`clamp` is {options.clamp:g}", f"{place}.clamp", "above 0 and up to 80; 5 is usual")
    weights = _loss(SdnnLoss, loss, "track_iter")
    if not 0 <= weights.label_smoothing < 1 or weights.alpha_iou > 1:
        raise DetrtError("`label_smoothing` and `alpha_iou` are shares", "loss", "0 .. 1")
    if weights.track_iter is not None and weights.track_iter < 1:
        raise DetrtError(f"`track_iter` is {weights.track_iter}", "loss.track_iter", "steps, at least 1, or none")
    return options, weights


def _loss(kind: type[Kind], given: Mapping[str, Any], *words: str) -> Kind:
    options = read_options(kind, given, "loss")
    no_weight_below_0(options, "loss", words)
    return options


def _check_anchors(maps: Any, place: str) -> None:
    """Raises DetrtError unless these are lists of pairs of numbers above 0, one list a map."""
    if not maps or not all(isinstance(pairs, tuple) and pairs for pairs in maps):
        raise DetrtError("`anchors` are not given for every map", f"{place}.anchors")
    for pair in (pair for pairs in maps for pair in pairs):
        if not (
            isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(v, (int, float)) and v > 0 for v in pair)
        ):
            raise DetrtError(f"an anchor is {pair!r}, not a width and a height above 0", f"{place}.anchors")

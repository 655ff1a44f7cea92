"""Heads: how boxes become a target, what the loss is, how outputs become boxes again. One file a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.errors import DetrtError
from detrt.heads.detections import Detections

Array = NDArray[np.float32]
Decoder = Callable[[Array | Mapping[str, Sequence[Array]]], Detections]
"""From the outputs of one picture: an array [channels, rows, columns], or for a head on lists of maps or on several
outputs these by name.
"""

KINDS = {
    "gnetdet": ("detrt.heads.gnetdet", "GnetdetHead"),
    "yolo_v1": ("detrt.heads.yolo_v1", "YoloV1Head"),
    "yolo_v2": ("detrt.heads.yolo_v2", "YoloV2Head"),
    "yolo_v3": ("detrt.heads.yolo_v3", "YoloV3Head"),
    "yolo_sdnn": ("detrt.heads.yolo_sdnn", "YoloSdnnHead"),
    "ssd": ("detrt.heads.ssd", "SsdHead"),
    "yolox": ("detrt.heads.yolox", "YoloxHead"),
    "nanodet": ("detrt.heads.nanodet", "NanodetHead"),
    "softmax": ("detrt.heads.softmax", "SoftmaxHead"),
}
"""Static table: kind of the lock -> module and class. A new head is one file and one line here."""

DECODERS = {
    "gnetdet": ("detrt.heads.gnetdet_target", "decoder"),
    "yolo_v1": ("detrt.heads.yolo_v1_target", "decoder"),
    "yolo_v2": ("detrt.heads.yolo_decode", "decoder_v2"),
    "yolo_v3": ("detrt.heads.yolo_decode", "decoder_v3"),
    "yolo_sdnn": ("detrt.heads.yolo_decode", "decoder_sdnn"),
    "ssd": ("detrt.heads.ssd_decode", "decoder"),
    "yolox": ("detrt.heads.yolox_decode", "decoder"),
    "nanodet": ("detrt.heads.nanodet_decode", "decoder"),
    "softmax": ("detrt.heads.softmax_decode", "decoder"),
}
"""The same for machines without torch: module and function that make a decoder of the head's options."""

CLASSIFIERS = ("softmax",)
"""Kinds that name the class of a whole picture; all others find boxes."""


def build_decoder(head: Mapping[str, Any]) -> Decoder:
    """A function from the outputs of one picture, float32, to its detections; loads no torch. Raises DetrtError."""
    kind = str(head.get("kind"))
    if kind not in DECODERS:
        raise DetrtError(f"no decoder for a head `{kind}`", "model.heads", f"known: {', '.join(DECODERS)}")
    module, name = DECODERS[kind]
    made = getattr(import_module(module), name)(head.get("options") or {})
    on = [str(output) for output in head.get("on") or []]

    def decode(outputs: Array | Mapping[str, Sequence[Array]]) -> Detections:
        if isinstance(outputs, Mapping) and on:
            missing = [output for output in on if output not in outputs]
            if missing:
                raise DetrtError(f"the model gives no output `{missing[0]}`", "model.heads")
            outputs = {output: outputs[output] for output in on}  # in the order in which the head reads them
        found: Detections = made(outputs)
        return found

    return decode


def build_head(head: Mapping[str, Any], loss: Mapping[str, Any] | None = None) -> Any:
    """The head object of an entry of `lock["model"]["heads"]`; `loss` are the loss options of a stage. Raises
    DetrtError.
    """
    kind = str(head.get("kind"))
    if kind not in KINDS:
        raise DetrtError(f"no head `{kind}`", "model.heads", f"known: {', '.join(KINDS)}")
    module, name = KINDS[kind]
    return getattr(import_module(module), name)(head, loss or {})

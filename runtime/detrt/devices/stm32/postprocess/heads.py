"""From an entry of the lock's heads and the int8 outputs of a program to the form of its post-processing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from detrt.devices.stm32.postprocess import tables
from detrt.devices.stm32.postprocess.anchored import yolo_sdnn, yolo_v2, yolo_v3
from detrt.devices.stm32.postprocess.building import MOST_CLASSES, Builder, Outputs
from detrt.devices.stm32.postprocess.form import ENTRY_BYTES, Classifier, Form
from detrt.devices.stm32.postprocess.free import nanodet, yolox
from detrt.devices.stm32.postprocess.gridded import gnetdet, yolo_v1
from detrt.devices.stm32.postprocess.priors import ssd
from detrt.devices.stm32.program import Program
from detrt.errors import DetrtError
from detrt.heads.softmax_decode import PLACE, TOP, read_head_options


def softmax(given: Mapping[str, Any], outputs: Outputs) -> Form:
    """Reads one vector, or one map of one cell."""
    options = read_head_options(given)
    (tensor,) = outputs[0]
    if math.prod(tensor.shape) != options.classes:
        raise DetrtError(f"the head expects {options.classes} values, the model gives {tensor.shape}", PLACE)
    if options.classes > MOST_CLASSES:
        raise DetrtError(f"{options.classes} classes", PLACE, f"at most {MOST_CLASSES} in whole numbers")
    return Classifier(classes=options.classes, top=min(TOP, options.classes), chance=tables.powers(tensor.quant.scale))


HEADS: dict[str, tuple[Builder, int]] = {
    "yolo_v2": (yolo_v2, 1),
    "yolo_v3": (yolo_v3, 1),
    "yolo_sdnn": (yolo_sdnn, 1),
    "yolox": (yolox, 3),
    "nanodet": (nanodet, 1),
    "ssd": (ssd, 2),
    "gnetdet": (gnetdet, 1),
    "yolo_v1": (yolo_v1, 1),
    "softmax": (softmax, 1),
}
"""Kind -> what makes its form, and how many outputs it reads. A new head is a function and a line here."""
ONE_TENSOR = ("gnetdet", "yolo_v1", "softmax")


def outputs_of(program: Program, head: Mapping[str, Any]) -> list[str]:
    """The tensors that a head reads, in its order: output by output, map by map. Raises DetrtError for one that is not there."""
    return [tensor for name in _names(program, head) for tensor in program.outputs[name]]


def form_of(program: Program, head: Mapping[str, Any]) -> Form:
    """The post-processing of an entry of `lock["model"]["heads"]` behind the int8 outputs of `program`.

    Raises DetrtError for options no head can have, outputs of other shapes, and what whole numbers do not do.
    """
    kind = str(head.get("kind"))
    if kind not in HEADS:
        raise DetrtError(f"no integer post-processing for a head `{kind}`", "model.heads", f"known: {', '.join(HEADS)}")
    build, reads = HEADS[kind]
    outputs = [[program.tensors[tensor] for tensor in program.outputs[name]] for name in _names(program, head)]
    if len(outputs) != reads:
        raise DetrtError(f"the head reads {reads} outputs, it is given {len(outputs)}", f"model.heads.{kind}")
    if kind in ONE_TENSOR and len(outputs[0]) != 1:
        raise DetrtError(f"the head reads one map, the model gives {len(outputs[0])}", f"model.heads.{kind}")
    return build(head.get("options") or {}, outputs)


def buffer_bytes(form: Form) -> int:
    """Bytes of the one buffer that the C code of a form has."""
    return ENTRY_BYTES * (form.top if isinstance(form, Classifier) else form.candidates)


def _names(program: Program, head: Mapping[str, Any]) -> list[str]:
    names = [str(name) for name in head.get("on") or program.outputs]
    for name in names:
        if name not in program.outputs:
            raise DetrtError(
                f"the model gives no output `{name}`", "model.heads", f"it gives {', '.join(program.outputs)}"
            )
    return names

"""From the int8 outputs of a network to boxes, by whole numbers only; `postprocess_c` prints the same as C.

form     what it is made of, and the formulas
tables   sigmoid, exp and others of an int8 number
heads    from a head's options to a form; anchored, free, priors, gridded: the kinds
detect   numpy that runs a form
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from detrt.devices.stm32.arithmetic import Int8
from detrt.devices.stm32.postprocess.detect import Found, detect
from detrt.devices.stm32.postprocess.form import Classifier, Detector, Form
from detrt.devices.stm32.postprocess.heads import HEADS, buffer_bytes, form_of, outputs_of
from detrt.devices.stm32.postprocess.tables import ONE_BOX, ONE_SCORE
from detrt.devices.stm32.program import Program
from detrt.heads.detections import Detections

__all__ = [
    "HEADS",
    "Classifier",
    "Detector",
    "Form",
    "Found",
    "buffer_bytes",
    "decoder",
    "detect",
    "form_of",
    "in_floats",
    "outputs_of",
]


def decoder(program: Program, head: Mapping[str, Any]) -> Callable[[Mapping[str, Int8]], Detections]:
    """A function from the int8 tensors of one picture, by their names in `program`, to its detections, as the device finds
    them. `head` is an entry of `lock["model"]["heads"]`. Raises DetrtError for a head or outputs that do not fit.
    """
    form, names = form_of(program, head), outputs_of(program, head)

    def decode(tensors: Mapping[str, Int8]) -> Detections:
        return in_floats(detect(form, [tensors[name] for name in names]))

    return decode


def in_floats(found: Found) -> Detections:
    """Whole numbers as shares of the picture and scores of 0 .. 1; exact."""
    return Detections(
        (found.boxes / np.float64(ONE_BOX)).astype(np.float32),
        (found.scores / np.float64(ONE_SCORE)).astype(np.float32),
        found.labels,
    )

"""The numbers of a softmax head, and its logits back to classes, in numpy: devices have no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.errors import DetrtError
from detrt.heads.detections import Detections
from detrt.heads.options import read_options

PLACE = "model.heads.softmax"
TOP = 5
"""Classes that are told of a picture, at most: as many as top-5 looks at."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HeadOptions:
    """`image` height and width of the net's input."""

    classes: int
    names: tuple[str, ...] | None = None
    image: tuple[int, int] = (0, 0)


def read_head_options(given: Mapping[str, Any]) -> HeadOptions:
    """From `lock["model"]["heads"][i]["options"]`. Raises DetrtError for what no softmax head can have."""
    options = read_options(HeadOptions, given, PLACE)
    if isinstance(options.classes, bool) or not isinstance(options.classes, int) or not 1 <= options.classes <= 100_000:
        raise DetrtError(f"{options.classes} classes", f"{PLACE}.classes", "a head has 1 to 100,000 classes")
    if options.names is not None and len(options.names) != options.classes:
        raise DetrtError(f"{len(options.names)} names for {options.classes} classes", f"{PLACE}.names")
    return options


def decode_logits(logits: Floats, options: HeadOptions) -> Detections:
    """The most probable classes of one picture, at most TOP, best first; each as a box over the whole of it. Equal
    ones stand in the order of their numbers. `logits` are [classes] or [classes, 1, 1].

    Raises DetrtError for another count. Logits that are no numbers say nothing.
    """
    flat = np.asarray(logits, np.float32).reshape(-1)
    if len(flat) != options.classes:
        raise DetrtError(f"the head expects {options.classes} values, the model gives {len(flat)}", PLACE)
    if not np.isfinite(flat).all():
        return Detections.none()
    weights = np.exp(flat.astype(np.float64) - flat.max())  # float32 would leave its range
    shares = weights / weights.sum()
    best = np.argsort(-shares, kind="stable")[:TOP]
    boxes = np.tile(np.array([0, 0, 1, 1], np.float32), (len(best), 1))
    return Detections(boxes, shares[best].astype(np.float32), best.astype(np.int64))


def decoder(given: Mapping[str, Any]) -> Callable[[Floats | Mapping[str, Sequence[Floats]]], Detections]:
    """A function from the logits of one picture to its classes. Raises DetrtError."""
    options = read_head_options(given)

    def decode(outputs: Floats | Mapping[str, Sequence[Floats]]) -> Detections:
        return decode_logits(next(iter(outputs.values()))[0] if isinstance(outputs, Mapping) else outputs, options)

    return decode

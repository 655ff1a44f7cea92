"""Heads: how boxes become a target, what the loss is, how outputs become boxes again. One file a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.errors import DetrtError
from detrt.heads.detections import Detections

Decoder = Callable[[NDArray[np.float32]], Detections]

KINDS = {"gnetdet": ("detrt.heads.gnetdet", "GnetdetHead")}
"""Static table: kind of the lock -> module and class. A new head is one file and one line here."""

DECODERS = {"gnetdet": ("detrt.heads.gnetdet_target", "decoder")}
"""The same for machines without torch: module and function that make a decoder of the head's options."""


def build_decoder(head: Mapping[str, Any]) -> Decoder:
    """A function from one output map, float32 [channels, rows, columns], to its detections; loads no torch. Raises
    DetrtError.
    """
    kind = str(head.get("kind"))
    if kind not in DECODERS:
        raise DetrtError(f"no decoder for a head `{kind}`", "model.heads", f"known: {', '.join(DECODERS)}")
    module, name = DECODERS[kind]
    made: Decoder = getattr(import_module(module), name)(head.get("options") or {})
    return made


def build_head(head: Mapping[str, Any], loss: Mapping[str, Any] | None = None) -> Any:
    """The head object of an entry of `lock["model"]["heads"]`; `loss` are the loss options of a stage. Raises
    DetrtError.
    """
    kind = str(head.get("kind"))
    if kind not in KINDS:
        raise DetrtError(f"no head `{kind}`", "model.heads", f"known: {', '.join(KINDS)}")
    module, name = KINDS[kind]
    return getattr(import_module(module), name)(head, loss or {})

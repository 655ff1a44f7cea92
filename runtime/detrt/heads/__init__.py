"""Heads: how boxes become a target, what the loss is, how outputs become boxes again. One file a kind."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from detrt.errors import DetrtError

KINDS = {"gnetdet": ("detrt.heads.gnetdet", "GnetdetHead")}
"""Static table: kind of the lock -> module and class. A new head is one file and one line here."""


def build_head(head: Mapping[str, Any], loss: Mapping[str, Any] | None = None) -> Any:
    """The head object of an entry of `lock["model"]["heads"]`; `loss` are the loss options of a stage. Raises DetrtError."""
    kind = str(head.get("kind"))
    if kind not in KINDS:
        raise DetrtError(f"no head `{kind}`", "model.heads", f"known: {', '.join(KINDS)}")
    module, name = KINDS[kind]
    return getattr(import_module(module), name)(head, loss or {})

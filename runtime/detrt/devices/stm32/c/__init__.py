"""C code of a quantised network: `write` prints it, beside it lie its kernels and the boards that are emulated."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {"write": "writing"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

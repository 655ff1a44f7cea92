"""Loihi 2: sigma-delta nets in time, their integer simulator, and the `.net` files that hold them.

The names below load what they need when they are first used, so that simulating never loads torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "choose_engine": "engines",
    "translate": "slayer_names",
    "prepare": "stages",
    "exports": "stages",
    "clipped": "stages",
    "penalties": "events",
    "counting": "events",
    "stream": "stepping",
    "export": "exporting",
    "load_artifacts": "artifacts",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

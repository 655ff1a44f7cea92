"""The GTI Lightspeeur 5801: its arithmetic, its files, its integer simulator, and the quantised stages of training for it.

The names below load what they need when they are first used, so that packing and simulating never load torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "prepare": "stages",
    "exports": "stages",
    "fold": "stages",
    "output_scale": "stages",
    "clipped": "stages",
    "calibrate": "calibration",
    "measure": "calibration",
    "rescale": "calibration",
    "export": "exporting",
    "load_artifacts": "artifacts",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

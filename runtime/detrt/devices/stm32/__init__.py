"""STM32 microcontrollers: int8 arithmetic, its simulator, and the C code that computes the same.

The names below load what they need when they are first used, so that simulating never loads torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "prepare": "stages",
    "exports": "stages",
    "measure_ranges": "calibration",
    "equalize": "calibration",
    "correct_bias": "calibration",
    "decoder": "finding",
    "one_by_one": "sensitivity",
    "export": "exporting",
    "export_imported": "exporting",
    "load_artifacts": "artifacts",
    "observe": "floating",
    "quantised": "quantising",
    "Simulator": "simulator",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

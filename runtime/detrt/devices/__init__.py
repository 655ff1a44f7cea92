"""The devices that detrt knows: a static table from target name to the package that quantises, writes and simulates for it."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

BACKENDS = {"gti5801": "detrt.devices.gti5801"}


def backend(name: str) -> ModuleType:
    """The package of target `name`. KeyError, naming the known ones, for any other.

    A backend offers `prepare`, `calibrate`, `fold`, `rescale`, `output_scale`, `export` and `load_artifacts`.
    """
    if name not in BACKENDS:
        raise KeyError(f"no device package for target {name!r}; known: {', '.join(sorted(BACKENDS))}")
    return import_module(BACKENDS[name])

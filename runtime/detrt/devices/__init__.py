"""The devices that detrt knows: a static table from target name to the package that quantises, writes and simulates for it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from detrt.errors import DetrtError

BACKENDS = {
    "gti5801": "detrt.devices.gti5801",
    "loihi2": "detrt.devices.loihi2",
    "stm32": "detrt.devices.stm32",
}


def backend(name: str, lineage: Sequence[str] = ()) -> ModuleType:
    """The package of target `name`, else that of the nearest of its `lineage`. DetrtError, naming the known ones, for any other.

    What a backend offers: see `detrt.train.contracts.Backend`, and `export` and `load_artifacts`.
    """
    for candidate in (name, *lineage):
        if candidate in BACKENDS:
            return import_module(BACKENDS[candidate])
    raise DetrtError(f"there is no device package for target {name!r}", remedy=f"known: {', '.join(sorted(BACKENDS))}")

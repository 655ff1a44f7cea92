"""The targets. Built-in ones are a table; entry points of other packages are read only for a name that is not in it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from detc.semantics.targets import BUILTIN as FOLDER
from detc.semantics.targets import builtin_names

if TYPE_CHECKING:
    from detc.targets.backend import TargetBackend

BUILTIN: dict[str, str] = {
    "gti5801": "detc.targets.gti5801.backend",
    "loihi2": "detc.targets.loihi2.backend",
    "stm32": "detc.targets.stm32.backend",
}
"""Target name -> the module whose BACKEND it is. Its facts are `targets/<name>/target.det`."""

REFERENCES = ("gti5801", "stm32h747i_disco", "stm32n6570_dk", "kapoho_point")
"""The targets that stand for all where a short table says what fits: chips and boards that their vendors publish figures for."""

ENTRY_POINTS = "detc.targets"

__all__ = ["BUILTIN", "ENTRY_POINTS", "FOLDER", "REFERENCES", "backend_of", "builtin_names", "det_file", "judged_names"]


def det_file(name: str) -> Path:
    """Where the facts of a built-in target stand: in its own folder, or in one of its family's."""
    return next(FOLDER.glob(f"*/*/{name}.det"), FOLDER / name / "target.det")


def judged_names() -> tuple[str, ...]:
    """The built-in targets that a net can be put on: chips, and the boards of families. No file is read."""
    families = {path.parent.parent.name for path in FOLDER.glob("*/boards/*.det")}
    boards = {path.stem for path in FOLDER.glob("*/boards/*.det")}
    return tuple(sorted({*(set(BUILTIN) - families), *boards}))


def backend_of(lineage: tuple[str, ...]) -> TargetBackend | None:
    """The backend of a target: its own, else that of the nearest ancestor that has one; None where none has."""
    for name in lineage:
        if name in BUILTIN:
            found: TargetBackend = import_module(BUILTIN[name]).BACKEND
            return found
    return _installed(lineage)


def _installed(lineage: tuple[str, ...]) -> TargetBackend | None:
    from importlib.metadata import entry_points

    for name in lineage:
        for entry in entry_points(group=ENTRY_POINTS, name=name):
            found: TargetBackend = entry.load()
            return found
    return None

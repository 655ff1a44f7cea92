"""Plain folders of pictures without labels: calibration sets, and the input of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from detrt.data.picture import SUFFIXES, read_image
from detrt.data.root import require_beneath
from detrt.data.sample import Annotation, DataSet, Picture
from detrt.errors import DetrtError


def picture_files(folder: Path) -> list[Path]:
    """All files under `folder` that are named like pictures, in order of their names; hidden ones are passed over."""
    found = (p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))


def open_folder(name: str, split: str, root: Path, where: dict[str, str], classes: Sequence[str] | None) -> DataSet:
    """The pictures of `where["folder"]` under `root`, without boxes. Raises DetrtError if there is none."""
    folder = require_beneath(root, str(where.get("folder") or "."), "the picture folder")
    files = picture_files(folder) if folder.is_dir() else []
    if not files:
        raise DetrtError("there is no picture in the folder", folder, f"known formats: {', '.join(SUFFIXES)}")
    nothing = Annotation.of([], [])
    pictures = tuple(Picture(str(p.relative_to(folder).with_suffix("")), p, 0, 0, nothing) for p in files)
    return DataSet(name, split, tuple(classes or ()), pictures, read_image)

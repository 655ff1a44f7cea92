"""Plain folders of pictures without labels: calibration sets, and the input of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detrt.data.picture import SUFFIXES, read_image
from detrt.data.root import require_beneath
from detrt.data.sample import Annotation, DataSet, Picture
from detrt.data.scan import files_below, ids_of
from detrt.errors import DetrtError


def picture_files(folder: Path) -> list[Path]:
    """All files under `folder` that are named like pictures, in order of their names; hidden ones are passed over."""
    return files_below(folder, None)[0]


def open_folder(name: str, split: str, root: Path, where: dict[str, Any], classes: Sequence[str] | None) -> DataSet:
    """The pictures of `where["folder"]` under `root`, without boxes. Raises DetrtError if there is none."""
    folder = require_beneath(root, str(where.get("folder") or "."), "the picture folder")
    files, notices = files_below(folder, root)
    if not files:
        raise DetrtError("there is no picture in the folder", folder, f"known formats: {', '.join(SUFFIXES)}")
    nothing = Annotation.of([], [])
    pictures = tuple(Picture(id, p, 0, 0, nothing) for id, p in zip(ids_of(files, folder), files, strict=True))
    return DataSet(name, split, tuple(classes or ()), pictures, read_image, tuple(notices), labelled=False)

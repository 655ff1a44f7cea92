"""YOLO text files: shares of the picture, images/ and labels/, and a data.yaml that names the numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from detrt.data.writing.entry import Entry, write
from detrt.errors import DetrtError


def write_yolo(root: Path, splits: Mapping[str, list[Entry]], classes: tuple[str, ...]) -> None:
    """labels/SPLIT/ and data.yaml. Raises OSError, and DetrtError for a picture whose size is not known."""
    for split, entries in splits.items():
        (root / f"labels/{split}").mkdir(parents=True, exist_ok=True)
        for entry in entries:
            write(root / f"labels/{split}/{entry.stem}.txt", _lines(entry))
    names = "".join(f"  {n}: {json.dumps(name, ensure_ascii=False)}\n" for n, name in enumerate(classes))
    places = "".join(f"{split}: images/{split}\n" for split in splits)
    write(root / "data.yaml", f"path: .\n{places}names:\n{names}")


def _lines(entry: Entry) -> str:
    picture = entry.picture
    if len(picture.annotation) and not (picture.width and picture.height):
        raise DetrtError("the size of the picture is not known, so its boxes are no shares of it", picture.path)
    lines = []
    for (x1, y1, x2, y2), label in zip(
        picture.annotation.boxes.tolist(), picture.annotation.labels.tolist(), strict=True
    ):
        width, height = picture.width, picture.height
        values = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        lines.append(f"{label} {' '.join(f'{value:.9g}' for value in values)}\n")
    return "".join(lines)

"""GNetDet's list: `name x1 y1 x2 y2 class ..`, corners as in VOC, classes from 0."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from detrt.data.writing.entry import Entry, number, write


def write_gnetdet(root: Path, splits: Mapping[str, list[Entry]], classes: tuple[str, ...]) -> None:
    """SPLIT.txt and classes.txt. Raises OSError."""
    for split, entries in splits.items():
        write(root / f"{split}.txt", "".join(f"{_line(entry)}\n" for entry in entries))
    write(root / "classes.txt", "".join(f"{name}\n" for name in classes))


def _line(entry: Entry) -> str:
    note, words = entry.picture.annotation, [entry.file]
    for (x1, y1, x2, y2), label in zip(note.boxes.tolist(), note.labels.tolist(), strict=True):
        words += [number(x1 + 1), number(y1 + 1), number(x2), number(y2), str(label)]
    return " ".join(words)

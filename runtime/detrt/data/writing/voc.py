"""Pascal VOC: coordinates from 1 on, both ends inside the box."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from detrt.data.writing.entry import Entry, number, write


def write_voc(root: Path, splits: Mapping[str, list[Entry]], classes: tuple[str, ...]) -> None:
    """Annotations/, and ImageSets/Main/SPLIT.txt. Raises OSError."""
    for split, entries in splits.items():
        write(root / f"ImageSets/Main/{split}.txt", "".join(f"{entry.stem}\n" for entry in entries))
        for entry in entries:
            write(root / f"Annotations/{entry.stem}.xml", _xml(entry, classes))


def _xml(entry: Entry, classes: tuple[str, ...]) -> str:
    picture, lines = entry.picture, ["<annotation>", f"  <filename>{escape(entry.file)}</filename>"]
    lines.append(f"  <size><width>{picture.width}</width><height>{picture.height}</height><depth>3</depth></size>")
    note = picture.annotation
    for (x1, y1, x2, y2), label, hard in zip(
        note.boxes.tolist(), note.labels.tolist(), note.difficult.tolist(), strict=True
    ):
        ends = (("xmin", x1 + 1), ("ymin", y1 + 1), ("xmax", x2), ("ymax", y2))
        box = "".join(f"<{key}>{number(value)}</{key}>" for key, value in ends)
        lines += [
            "  <object>",
            f"    <name>{escape(classes[label])}</name>",
            f"    <difficult>{int(hard)}</difficult>",
            f"    <bndbox>{box}</bndbox>",
            "  </object>",
        ]
    return "\n".join([*lines, "</annotation>", ""])

"""YOLO text labels, as darknet and ultralytics keep them: a text file beside each picture, or in `labels/` where the
picture is in `images/`.

A line is `class cx cy width height`, all four shares of the picture; a line with more numbers is the outline of an object
(`class x1 y1 x2 y2 x3 y3 ..`), whose box is taken. A picture without a label file has no objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detrt.data.class_names import read_names
from detrt.data.header import picture_size
from detrt.data.notice import Notice
from detrt.data.numbers import finite
from detrt.data.picture import SUFFIXES, read_image
from detrt.data.root import beneath, printable, read_label_text, require_beneath
from detrt.data.sample import Annotation, DataSet, Picture
from detrt.data.scan import files_below
from detrt.errors import DetrtError

TEXT_LIMIT = 2**24
"""Bytes of a label file above which it is refused."""


def open_yolo(
    name: str, split: str, root: Path, where: dict[str, Any], classes: Sequence[str] | None, names_file: str | None
) -> DataSet:
    """A split from `where["images"]`: folders of pictures, or `.txt` lists of picture files, one or several.

    `where["labels"]`: the folder of label files where it is another than the usual. `names_file` (data.yaml, or one name
    a line) says what the numbers mean; `classes` then chooses among them, else it names the numbers itself. Raises
    DetrtError where pictures or names cannot be found.
    """
    numbered = read_names(root, names_file) if names_file else None
    meaning = Meaning.of(numbered, classes, root)
    entries = where["images"] if isinstance(where["images"], list) else [where["images"]]
    notices: list[Notice] = []
    pictures: list[Picture] = []
    seen: set[Path] = set()
    for entry in entries:
        for path in _pictures(root, str(entry), notices):
            if path in seen:
                notices.append(Notice("repeated picture", path.name, "listed twice", "left out the repetition"))
                continue
            seen.add(path)
            label = _label_file(root, path, where)
            id = path.relative_to(root).with_suffix("").as_posix()
            pictures.append(_picture(id, path, label, meaning, notices))
    if not pictures:
        raise DetrtError(f"the split `{split}` has no picture", f"data.{name}.{split}")
    return DataSet(name, split, meaning.classes, tuple(pictures), read_image, tuple(notices))


class Meaning:
    """From the numbers of a label file to the classes of the set: None for a number that has no class in it."""

    def __init__(self, classes: Sequence[str], numbers: dict[int, int], known: int) -> None:
        self.classes, self.numbers, self.known = tuple(classes), numbers, known

    @classmethod
    def of(cls, numbered: dict[int, str] | None, classes: Sequence[str] | None, place: Path) -> Meaning:
        """`numbered` are the names of the file's numbers where it says, `classes` those that are wanted."""
        if numbered is None and classes is None:
            raise DetrtError(
                "the label files have numbers instead of names", place, 'name them: classes = ["first", ..]'
            )
        numbered = numbered if numbered is not None else dict(enumerate(classes or ()))
        wanted = list(classes) if classes is not None else [numbered[n] for n in sorted(numbered)]
        for name in wanted:
            if name not in numbered.values():
                raise DetrtError(
                    f"no class `{name}`", place, f"classes there: {', '.join(list(numbered.values())[:12])}"
                )
        numbers = {number: wanted.index(name) for number, name in numbered.items() if name in wanted}
        return cls(wanted, numbers, max(numbered, default=-1) + 1)


def _pictures(root: Path, entry: str, notices: list[Notice]) -> list[Path]:
    path = require_beneath(root, entry, "the split")
    if path.suffix != ".txt":
        if not path.is_dir():
            raise DetrtError(
                f"there is no folder `{entry}`", path, "a split is a folder of pictures or a .txt list of them"
            )
        found, more = files_below(path, root)
        notices += more
        return found
    listed = []
    for line in read_label_text(path, "list of pictures").splitlines():
        text = line.strip()
        if not text:
            continue
        # A list names its pictures relative to itself (`./images/a.jpg`) or to the root.
        tried = [beneath(root, str(path.parent / text)), beneath(root, text)]
        inside = [p for p in tried if p is not None and p.suffix.lower() in SUFFIXES]
        if not inside:
            detail = "is no picture under the data folder"
            notices.append(Notice("broken name", printable(text, 80), detail, "left out the picture"))
            continue
        listed.append(next((p for p in inside if p.is_file()), inside[0]))
    return listed


def _label_file(root: Path, picture: Path, where: dict[str, Any]) -> Path | None:
    """Where the boxes of a picture are; None if that leaves the root."""
    relative = picture.relative_to(root)
    if where.get("labels"):
        folders = where["images"] if isinstance(where["images"], list) else [where["images"]]
        within = [root / f for f in folders if picture.is_relative_to(root / f)]
        inner = picture.relative_to(within[0]) if within else Path(picture.name)
        return beneath(root, f"{where['labels']}/{inner.with_suffix('.txt').as_posix()}")
    parts = list(relative.parts)
    if "images" in parts[:-1]:  # the last folder of that name, as ultralytics has it
        at = len(parts) - 2 - parts[-2::-1].index("images")
        parts[at] = "labels"
    return beneath(root, Path(*parts).with_suffix(".txt").as_posix())


def _picture(id: str, path: Path, label: Path | None, meaning: Meaning, notices: list[Notice]) -> Picture:
    rows = _rows(id, label, notices)
    try:
        width, height = picture_size(path)
    except DetrtError:  # the label check opens every picture and tells what is wrong with this one
        return Picture(id, path, 0, 0, Annotation.of([], []))
    boxes, labels = [], []
    for number, values in rows:
        if number not in meaning.numbers:
            if not 0 <= number < meaning.known:
                detail = f"class {number} of {meaning.known}"
                notices.append(Notice("unknown class", id, detail, "left out the box"))
            continue
        boxes.append(_box(values, width, height))
        labels.append(meaning.numbers[number])
    return Picture(id, path, width, height, Annotation.of(boxes, labels))


def _rows(id: str, label: Path | None, notices: list[Notice]) -> list[tuple[int, list[float]]]:
    if label is None:
        notices.append(Notice("broken label file", id, "its name leaves the data folder", "took it as empty"))
        return []
    try:
        if not label.is_file():
            return []
        if label.stat().st_size > TEXT_LIMIT:
            raise DetrtError(f"larger than {TEXT_LIMIT // 2**20} MiB")
        lines = read_label_text(label, "label file").splitlines()
    except DetrtError as error:
        notices.append(Notice("broken label file", id, error.message, "took it as empty"))
        return []
    rows = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        values = [finite(word) for word in words]
        usable = [v for v in values if v is not None]
        if len(usable) < len(words) or not (len(words) == 5 or (len(words) >= 7 and len(words) % 2)):
            detail = f"line {number}: `{printable(line.strip(), 60)}`"
            notices.append(Notice("broken label line", id, detail, "left out the box"))
            continue
        if usable[0] != int(usable[0]):
            notices.append(Notice("unknown class", id, f"class {words[0][:20]} in line {number}", "left out the box"))
            continue
        rows.append((int(usable[0]), usable[1:]))
    return rows


def _box(values: list[float], width: int, height: int) -> tuple[float, float, float, float]:
    """Corners in pixels from centre and size, or from an outline, in shares of the picture."""
    if len(values) == 4:
        x, y, w, h = values
        return (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height
    points = np.asarray(values).reshape(-1, 2)
    (x1, y1), (x2, y2) = points.min(0), points.max(0)
    return float(x1 * width), float(y1 * height), float(x2 * width), float(y2 * height)

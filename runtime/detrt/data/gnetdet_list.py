"""The list that GNetDet trains from: a line a picture, `name x1 y1 x2 y2 class x1 y1 x2 y2 class ..`.

The corners are those of the VOC files that the list is made from, so 1-based and inclusive; classes count from 0
(urcodesogreat/GNetDet-Pytorch@3b9ed80, tools/xml_2_txt.py and gnetmdk/dataset/datasetdet.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detrt.data.class_names import read_names
from detrt.data.header import picture_size
from detrt.data.notice import Notice
from detrt.data.numbers import all_finite, finite
from detrt.data.picture import SUFFIXES, read_image
from detrt.data.root import beneath, printable, read_label_text, require_beneath
from detrt.data.sample import Annotation, DataSet, Picture
from detrt.data.yolo import Meaning
from detrt.errors import DetrtError


def open_gnetdet(
    name: str, split: str, root: Path, where: dict[str, Any], classes: Sequence[str] | None, names_file: str | None
) -> DataSet:
    """The pictures of the list `where["list"]` in the folder `where["images"]`, in the list's order.

    Names as for `open_yolo`. A line that names a picture again is left out. Raises DetrtError where the list cannot be
    read or is empty.
    """
    meaning = Meaning.of(read_names(root, names_file) if names_file else None, classes, root)
    path = require_beneath(root, str(where["list"]), "the list")
    folder = require_beneath(root, str(where.get("images") or "."), "the picture folder")
    notices: list[Notice] = []
    pictures: dict[str, Picture] = {}
    for number, line in enumerate(read_label_text(path, "list of pictures").splitlines(), 1):
        at, words = _name_end(line), line.split()
        if not words:
            continue
        file = " ".join(words[:at])
        image = beneath(folder, file)
        if image is None:
            detail = f"`{printable(file, 80)}` leaves the data folder"
            notices.append(Notice("broken label line", f"{path.name}:{number}", detail, "left out the picture"))
            continue
        id = file.rpartition(".")[0] or file
        if id in pictures:
            notices.append(Notice("repeated picture", id, f"again in line {number}", "left out the repetition"))
            continue
        pictures[id] = _picture(id, image, words[at:], meaning, notices)
    if not pictures:
        raise DetrtError("the list names no picture", path)
    return DataSet(name, split, meaning.classes, tuple(pictures.values()), read_image, tuple(notices))


def _name_end(line: str) -> int:
    """How many words the name takes: up to the first that ends like a picture, so that names may hold blanks."""
    words = line.split()
    return next((n for n, word in enumerate(words, 1) if word.lower().endswith(SUFFIXES)), 1)


def _picture(id: str, path: Path, words: list[str], meaning: Meaning, notices: list[Notice]) -> Picture:
    boxes, labels = [], []
    if len(words) % 5:
        detail = f"{len(words)} numbers are not five a box"
        notices.append(Notice("broken label line", id, detail, "left out the last box"))
    for start in range(0, len(words) - len(words) % 5, 5):
        corners, number = all_finite(words[start : start + 4], 4), finite(words[start + 4])
        if corners is None or number is None or number != int(number):
            detail = f"`{printable(' '.join(words[start : start + 5]), 60)}`"
            notices.append(Notice("broken label line", id, detail, "left out the box"))
        elif int(number) in meaning.numbers:
            x1, y1, x2, y2 = corners
            boxes.append((x1 - 1, y1 - 1, x2, y2))
            labels.append(meaning.numbers[int(number)])
        elif not 0 <= number < meaning.known:
            notices.append(Notice("unknown class", id, f"class {int(number)} of {meaning.known}", "left out the box"))
    try:
        width, height = picture_size(path)
    except DetrtError:  # the label check tells of it
        width, height = 0, 0
    return Picture(id, path, width, height, Annotation.of(boxes, labels))

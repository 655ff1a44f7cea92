"""COCO json: pictures, boxes as x, y, width, height, and categories with sparse ids, all in one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from detrt.data.classes import nearest
from detrt.data.folders import open_folder
from detrt.data.notice import Notice
from detrt.data.numbers import all_finite, finite, side
from detrt.data.picture import read_image
from detrt.data.root import beneath, printable, read_label_json, require_beneath
from detrt.data.sample import Annotation, DataSet, Picture
from detrt.errors import DetrtError


def open_coco(name: str, split: str, root: Path, where: dict[str, Any], classes: Sequence[str] | None) -> DataSet:
    """A split from `where["annotations"]` (json) and `where["images"]` (folder), both under `root`.

    Classes are numbered in the order of `classes`, else by ascending category id; categories that are not asked for
    are passed over silently. Pictures without boxes stay. A file without `annotations` (COCO's test sets), or none at
    all, gives a set without labels. A box marked `ignore` counts as difficult. Raises DetrtError where the file is not a
    COCO file.
    """
    if where.get("annotations") is None:
        return open_folder(name, split, root, {"folder": where.get("images")}, classes)
    path = require_beneath(root, str(where["annotations"]), "the annotation file")
    folder = require_beneath(root, str(where.get("images") or "."), "the picture folder")
    content = read_label_json(path, "annotation file")
    labelled = not (isinstance(content, dict) and "annotations" not in content and "images" in content)
    images = _rows(content, "images", path)
    categories = _rows(content, "categories", path) if labelled or "categories" in content else []
    annotations = _rows(content, "annotations", path) if labelled else []
    known = {
        row["id"]: printable(row["name"]) for row in categories if isinstance(row.get("id"), int) and "name" in row
    }
    names = tuple(classes) if classes is not None else tuple(known[id] for id in sorted(known))
    told = set(known.values())
    for class_name in names if labelled else ():
        if class_name not in told:
            hint = f"categories of the file: {', '.join(list(known.values())[:12])}"
            raise DetrtError(f"no category `{class_name}`{nearest(class_name, known.values())}", path, hint)
    places = {name: place for place, name in reversed(list(enumerate(names)))}  # of names told twice, the first
    number = {id: places[category] for id, category in known.items() if category in places}

    notices: list[Notice] = _repeated_ids(annotations)
    boxes_of: dict[Any, list[dict[str, Any]]] = {}
    for row in annotations:
        boxes_of.setdefault(_key(row.get("image_id")), []).append(row)
    pictures = []
    seen: Counter[Any] = Counter()
    for row in images:
        id = _key(row.get("id"))
        file_name = row.get("file_name")
        seen[id] += 1
        if seen[id] > 1:
            notices.append(
                Notice("repeated picture", printable(id), f"id {id!r} again"[:80], "left out the repetition")
            )
            continue
        image = beneath(folder, file_name) if isinstance(file_name, str) else None
        if id is None or image is None:
            detail = f"{f'file_name {file_name!r}'[:100]} is no file under the picture folder"
            notices.append(Notice("broken label file", printable(id), detail, "left out the picture"))
            continue
        shown = printable(id)
        annotation = _annotation(shown, boxes_of.get(id, []), known, number, notices)
        pictures.append(Picture(shown, image, side(row.get("width")), side(row.get("height")), annotation))
    strangers = sum(len(rows) for id, rows in boxes_of.items() if id not in seen)
    if strangers:
        detail = f"{strangers} boxes of pictures that the file does not list"
        notices.append(Notice("stray box", path.name, detail, "left out the boxes"))
    if not pictures:
        raise DetrtError("the annotation file lists no picture", path)
    return DataSet(name, split, names, tuple(pictures), read_image, tuple(notices), labelled=labelled)


def _repeated_ids(rows: list[dict[str, Any]]) -> list[Notice]:
    count = Counter(_key(row["id"]) for row in rows if "id" in row)
    return [
        Notice("repeated id", printable(id), f"{n} boxes have the id {id!r}"[:80], "kept the boxes")
        for id, n in count.items()
        if n > 1
    ]


def _rows(content: Any, key: str, path: Path) -> list[dict[str, Any]]:
    rows = content.get(key) if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise DetrtError(
            f"the annotation file has no list `{key}`", path, "a COCO file has images, annotations and categories"
        )
    return [row for row in rows if isinstance(row, dict)]


def _key(value: Any) -> int | str | None:
    return value if isinstance(value, int | str) else None


def _annotation(
    picture: str, rows: list[dict[str, Any]], known: dict[int, str], number: dict[int, int], notices: list[Notice]
) -> Annotation:
    boxes, labels, crowd, difficult, areas = [], [], [], [], []
    for row in rows:
        category = _key(row.get("category_id"))
        if category not in known:
            notices.append(Notice("unknown class", picture, f"category id {category!r}"[:80], "left out the box"))
            continue
        if category not in number:
            continue
        box = all_finite(row.get("bbox"), 4)
        if box is None:
            notices.append(Notice("degenerate box", picture, f"bbox {row.get('bbox')!r}"[:80], "left out the box"))
            continue
        x, y, width, height = box
        boxes.append((x, y, x + width, y + height))
        labels.append(number[int(category)])
        crowd.append(row.get("iscrowd") in (1, True))
        difficult.append(row.get("ignore") in (1, True))
        area = finite(row.get("area"), 2.0**53)
        areas.append(area if area is not None and area >= 0 else width * height)
    return replace(Annotation.of(boxes, labels, crowd, difficult), areas=np.asarray(areas, np.float64))

"""COCO json: pictures, boxes as x, y, width, height, and categories with sparse ids, all in one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from detrt.data.classes import nearest
from detrt.data.notice import Notice
from detrt.data.picture import read_image
from detrt.data.root import beneath, read_label_json, require_beneath
from detrt.data.sample import Annotation, DataSet, Picture
from detrt.errors import DetrtError


def open_coco(name: str, split: str, root: Path, where: dict[str, Any], classes: Sequence[str] | None) -> DataSet:
    """A split from `where["annotations"]` (json) and `where["images"]` (folder), both under `root`.

    Classes are numbered in the order of `classes`, else by ascending category id; categories that are not asked for
    are passed over silently. Pictures without boxes stay. Raises DetrtError where the file is not a COCO file.
    """
    path = require_beneath(root, str(where["annotations"]), "the annotation file")
    folder = require_beneath(root, str(where.get("images") or "."), "the picture folder")
    content = read_label_json(path, "annotation file")
    images, annotations, categories = (_rows(content, key, path) for key in ("images", "annotations", "categories"))
    known = {row["id"]: str(row["name"]) for row in categories if isinstance(row.get("id"), int) and "name" in row}
    names = tuple(classes) if classes is not None else tuple(known[id] for id in sorted(known))
    for class_name in names:
        if class_name not in known.values():
            hint = f"categories of the file: {', '.join(list(known.values())[:12])}"
            raise DetrtError(f"no category `{class_name}`{nearest(class_name, known.values())}", path, hint)
    number = {id: names.index(category) for id, category in known.items() if category in names}

    notices: list[Notice] = []
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
            notices.append(Notice("repeated picture", str(id), f"id {id} again", "left out the repetition"))
            continue
        image = beneath(folder, file_name) if isinstance(file_name, str) else None
        if id is None or image is None:
            shown = f"file_name {file_name!r}"[:100]
            notices.append(
                Notice(
                    "broken label file", str(id), f"{shown} is no file under the picture folder", "left out the picture"
                )
            )
            continue
        annotation = _annotation(str(id), boxes_of.get(id, []), known, number, notices)
        pictures.append(Picture(str(id), image, _side(row.get("width")), _side(row.get("height")), annotation))
    if not pictures:
        raise DetrtError("the annotation file lists no picture", path)
    return DataSet(name, split, names, tuple(pictures), read_image, tuple(notices))


def _rows(content: Any, key: str, path: Path) -> list[dict[str, Any]]:
    rows = content.get(key) if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise DetrtError(
            f"the annotation file has no list `{key}`", path, "a COCO file has images, annotations and categories"
        )
    return [row for row in rows if isinstance(row, dict)]


def _key(value: Any) -> int | str | None:
    return value if isinstance(value, int | str) else None


def _side(value: Any) -> int:
    return value if isinstance(value, int) and 0 < value < 2**31 else 0


def _annotation(
    picture: str, rows: list[dict[str, Any]], known: dict[int, str], number: dict[int, int], notices: list[Notice]
) -> Annotation:
    boxes, labels, crowd, areas = [], [], [], []
    for row in rows:
        category = _key(row.get("category_id"))
        if category not in known:
            notices.append(Notice("unknown class", picture, f"category id {category}", "left out the box"))
            continue
        if category not in number:
            continue
        box = row.get("bbox")
        if not (
            isinstance(box, list) and len(box) == 4 and all(isinstance(v, int | float) and isfinite(v) for v in box)
        ):
            notices.append(Notice("degenerate box", picture, f"bbox {box!r}"[:80], "left out the box"))
            continue
        x, y, width, height = (float(v) for v in box)
        boxes.append((x, y, x + width, y + height))
        labels.append(number[int(category)])
        crowd.append(bool(row.get("iscrowd", 0)))
        area = row.get("area")
        areas.append(float(area) if isinstance(area, int | float) and 0 <= area < 2**53 else width * height)
    return replace(Annotation.of(boxes, labels, crowd), areas=np.asarray(areas, np.float64))

"""COCO json: one file a split, categories numbered from 1 in the order of the classes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detrt.data.writing.entry import Entry, write


def write_coco(root: Path, splits: Mapping[str, list[Entry]], classes: tuple[str, ...]) -> None:
    """annotations/instances_SPLIT.json. Difficult boxes are marked `ignore`, as the reader takes it. Raises OSError."""
    categories = [{"id": n, "name": name} for n, name in enumerate(classes, 1)]
    for split, entries in splits.items():
        images: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        for id, entry in enumerate(entries, 1):
            picture = entry.picture
            images.append({"id": id, "file_name": entry.file, "width": picture.width, "height": picture.height})
            for box in _boxes(entry):
                rows.append({"id": len(rows) + 1, "image_id": id, **box})
        content = {"images": images, "annotations": rows, "categories": categories}
        write(root / f"annotations/instances_{split}.json", json.dumps(content, ensure_ascii=False) + "\n")


def _boxes(entry: Entry) -> list[dict[str, Any]]:
    note, rows = entry.picture.annotation, []
    for at, (x1, y1, x2, y2) in enumerate(note.boxes.tolist()):
        area = (x2 - x1) * (y2 - y1) if note.areas is None else float(note.areas[at])
        row = {
            "category_id": int(note.labels[at]) + 1,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": area,
            "iscrowd": int(note.crowd[at]),
        }
        rows.append({**row, "ignore": 1} if note.difficult[at] else row)
    return rows

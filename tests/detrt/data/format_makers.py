"""Small data sets written as each format has them on disk. Every maker writes the same two pictures and three boxes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

CLASSES = ["cat", "dog"]
SIZE = (40, 30)
TRUTH = {
    "a": ([[0.0, 0.0, 40.0, 30.0], [4.0, 6.0, 12.0, 16.0]], [1, 0]),
    "b": ([[10.0, 5.0, 30.0, 25.0]], [0]),
}
"""Boxes x1 y1 x2 y2 in pixels and labels by picture."""


def picture(path: Path, size: tuple[int, int] = SIZE, grey: int = 90) -> Path:
    """A grey picture of (width, height) with a little structure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((size[1], size[0], 3), grey, np.uint8)
    image[: size[1] // 2, : size[0] // 2] //= 2
    assert cv2.imwrite(str(path), image)
    return path


def voc(root: Path, split: str = "train", names: Sequence[str] = ("a", "b"), year: str = "") -> dict[str, Any]:
    base = root / year
    for name in names:
        boxes, labels = TRUTH[name]
        picture(base / f"JPEGImages/{name}.jpg")
        objects = "".join(
            f"<object><name>{CLASSES[n]}</name><difficult>0</difficult><bndbox><xmin>{x1 + 1:.0f}</xmin>"
            f"<ymin>{y1 + 1:.0f}</ymin><xmax>{x2:.0f}</xmax><ymax>{y2:.0f}</ymax></bndbox></object>"
            for (x1, y1, x2, y2), n in zip(boxes, labels, strict=True)
        )
        size = f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height><depth>3</depth></size>"
        label = base / f"Annotations/{name}.xml"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(f"<annotation><filename>{name}.jpg</filename>{size}{objects}</annotation>")
    listed = base / f"ImageSets/Main/{split}.txt"
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text("".join(f"{name}\n" for name in names))
    return {"format": "voc", "root": str(root), "classes": CLASSES, "train": {"split": "train"}}


def coco(root: Path) -> dict[str, Any]:
    images, rows = [], []
    for id, (name, (boxes, labels)) in enumerate(TRUTH.items(), 100):
        picture(root / f"train2017/{name}.jpg")
        images.append({"id": id, "file_name": f"{name}.jpg", "width": SIZE[0], "height": SIZE[1]})
        for (x1, y1, x2, y2), n in zip(boxes, labels, strict=True):
            box = [x1, y1, x2 - x1, y2 - y1]
            rows.append({"id": len(rows) + 1, "image_id": id, "category_id": n * 7 + 3, "bbox": box, "iscrowd": 0})
    categories = [{"id": 3, "name": "cat"}, {"id": 10, "name": "dog"}]
    path = root / "annotations/instances_train2017.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": rows, "categories": categories}))
    where = {"images": "train2017", "annotations": "annotations/instances_train2017.json"}
    return {"format": "coco", "root": str(root), "classes": None, "train": where}


def yolo(root: Path, images: str = "images/train", labels: str = "labels/train") -> dict[str, Any]:
    for name, (boxes, numbers) in TRUTH.items():
        picture(root / f"{images}/{name}.jpg")
        lines = [
            f"{n} {(x1 + x2) / 2 / SIZE[0]} {(y1 + y2) / 2 / SIZE[1]} {(x2 - x1) / SIZE[0]} {(y2 - y1) / SIZE[1]}\n"
            for (x1, y1, x2, y2), n in zip(boxes, numbers, strict=True)
        ]
        (root / labels).mkdir(parents=True, exist_ok=True)
        (root / f"{labels}/{name}.txt").write_text("".join(lines))
    return {"format": "yolo", "root": str(root), "classes": CLASSES, "train": {"images": images}}


def gnetdet(root: Path) -> dict[str, Any]:
    lines = []
    for name, (boxes, labels) in TRUTH.items():
        picture(root / f"JPEGImages/{name}.jpg")
        words = [
            f"{x1 + 1:.0f} {y1 + 1:.0f} {x2:.0f} {y2:.0f} {n}"
            for (x1, y1, x2, y2), n in zip(boxes, labels, strict=True)
        ]
        lines.append(" ".join([f"{name}.jpg", *words]) + "\n")
    (root / "train.txt").write_text("".join(lines))
    where = {"list": "train.txt", "images": "JPEGImages"}
    return {"format": "gnetdet", "root": str(root), "classes": CLASSES, "train": where}


def _frame(name: str, boxes: list[list[float]], labels: list[int], **more: Any) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {
            "id": str(k),
            "category": CLASSES[n],
            "attributes": {"occluded": False, "truncated": False},
            "box2d": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
        }
        for k, (box, n) in enumerate(zip(boxes, labels, strict=True))
    ]
    lane = {"id": "900", "category": "lane", "poly2d": [{"vertices": [[0, 0], [1, 1]], "types": "LL", "closed": False}]}
    size = {"width": SIZE[0], "height": SIZE[1]}
    return {
        "name": name,
        "attributes": {"weather": "clear"},
        "timestamp": 10000,
        "size": size,
        "labels": [*rows, lane],
        **more,
    }


def bdd100k(root: Path) -> dict[str, Any]:
    frames = []
    for name, (boxes, labels) in TRUTH.items():
        picture(root / f"images/100k/train/{name}.jpg")
        frames.append(_frame(f"{name}.jpg", boxes, labels))
    path = root / "labels/det_20/det_train.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(frames))
    where = {"images": "images/100k/train", "annotations": "labels/det_20/det_train.json"}
    return {"format": "bdd100k", "root": str(root), "classes": CLASSES, "train": where}


def bdd100k_track(root: Path, videos: dict[str, int], steps: int = 3) -> dict[str, Any]:
    """`videos`: name -> frames; box 0 moves by a pixel a frame."""
    for number, (video, count) in enumerate(videos.items()):
        frames = []
        for index in range(count):
            name = f"{video}-{index + 1:07d}.jpg"
            picture(root / f"images/track/train/{video}/{name}", grey=60 + 10 * number + index)
            boxes = [[float(index), 2.0, index + 10.0, 12.0]]
            frames.append(_frame(name, boxes, [number % 2], videoName=video, frameIndex=index))
        path = root / f"labels/box_track_20/train/{video}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(frames))
    where = {"images": "images/track/train", "annotations": "labels/box_track_20/train"}
    data = {"format": "bdd100k_track", "root": str(root), "classes": CLASSES, "train": where}
    return data | {"options": {"steps": steps}}


def folders(root: Path, counts: dict[str, int], split: str = "train") -> dict[str, Any]:
    """ILSVRC: train/n01440764/n01440764_1.JPEG."""
    for name, count in counts.items():
        for index in range(count):
            jpg = picture(root / f"{split}/{name}/{name}_{index}.jpg")
            jpg.rename(jpg.with_suffix(".JPEG"))
    return {"format": "folders", "root": str(root), "classes": None, "train": {"folder": "train"}}


def video(path: Path, frames: int, size: tuple[int, int] = (64, 48)) -> Path:
    """A Motion JPEG file whose frame n is grey 10 + 5 n."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, size)
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.full((size[1], size[0], 3), 10 + 5 * number, np.uint8))
    writer.release()
    return path

"""The data block of a configuration: its many paths as one root and what lies below it."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Mapping

from detc.importers.st_yaml.draft import Draft

Paths = Mapping[str, str]
"""Of one split: `path`, `images`, `annotations`, `list`, as the configuration has them."""


def data_block(draft: Draft, name: str) -> str:
    """`data NAME = data.FORMAT(..)`; a folder `data` stands for what the configuration leaves open."""
    kind = draft.format or "coco"
    plain = {split: {part: _plain(path) for part, path in parts.items()} for split, parts in draft.splits.items()}
    root = _root([path for parts in plain.values() for path in parts.values()], kind)
    writers = {"coco": _coco, "voc": _voc, "yolo": _yolo}
    entries = {"root": f"path({_quoted(root)})"}
    if "classes" in draft.data:
        entries["classes"] = draft.data["classes"]
    for split in ("train", "val", "test"):
        if parts := plain.get(split):
            below = {part: _below(path, root) for part, path in parts.items()}
            entries[split] = writers[kind](below)
        elif split == "val":
            entries[split] = "none"
    entries |= {key: value for key, value in draft.data.items() if key != "classes"}
    lines = ",\n".join(f"  {key} = {value}" for key, value in entries.items())
    return f"data {name} = data.{kind}(\n{lines},\n)"


def _coco(parts: Paths) -> str:
    images = parts.get("images") or parts.get("path") or "."
    annotations = parts.get("annotations")
    return f"split(images = {_quoted(images)}{f', annotations = {_quoted(annotations)}' if annotations else ''})"


def _yolo(parts: Paths) -> str:
    return _quoted(parts.get("images") or parts.get("path") or ".")


def _voc(parts: Paths) -> str:
    """`"VOC2012/trainval"` where everything lies as VOC has it, else with its folders."""
    listed, images, annotations = parts.get("list"), parts.get("images"), parts.get("annotations")
    year, _, rest = (listed or "").rpartition("ImageSets/Main/")
    usual = {"images": f"{year}JPEGImages", "annotations": f"{year}Annotations"}
    if listed and rest and images in (None, usual["images"]) and annotations in (None, usual["annotations"]):
        return _quoted(f"{year}{rest.removesuffix('.txt')}")
    entries = {"list": listed, "images": images or parts.get("path"), "annotations": annotations}
    return f"split({', '.join(f'{key} = {_quoted(value)}' for key, value in entries.items() if value)})"


def _root(paths: Iterable[str], kind: str) -> str:
    """The folder above all paths; for VOC above its years."""
    folders = [posixpath.dirname(path) or "." for path in paths]
    if not folders:
        return "data"
    absolute = {path.startswith("/") for path in folders}
    if len(absolute) > 1:
        return "."
    root = posixpath.commonpath(folders) or "."
    for inner in ("/ImageSets", "/JPEGImages", "/Annotations"):
        root = root.partition(inner)[0] if kind == "voc" else root
    return root or "."


def _below(path: str, root: str) -> str:
    return posixpath.relpath(path, root) if root != "." else path


def _plain(path: str) -> str:
    """A path with forward slashes and without detours; what climbs above its start keeps its name only."""
    normal = posixpath.normpath(path.replace("\\", "/"))
    return normal.lstrip("./") if normal.startswith("..") else normal


def _quoted(text: str) -> str:
    return json.dumps("".join(c for c in text if c.isprintable())[:500], ensure_ascii=False)

"""From a data block of the lock to one split of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from detrt.data.classes import read_classes
from detrt.data.coco import open_coco
from detrt.data.folders import open_folder
from detrt.data.root import data_root
from detrt.data.sample import DataSet
from detrt.data.voc import open_voc
from detrt.errors import DetrtError

FORMATS = ("voc", "coco", "synthetic", "images")


def has_split(data: Mapping[str, Any], split: str) -> bool:
    """True if the data block of the lock names this split."""
    return data.get(split) is not None


def open_dataset(data: Mapping[str, Any], split: str, base_dir: Path, name: str = "data") -> DataSet:
    """One split (`train`, `val` or `test`) of `lock["data"][name]`; a relative `root` is looked up in `base_dir`,
    the spec's folder.

    Reads label files, not pictures: run `detrt.data.check.check_labels` over the result before using it. Raises
    DetrtError.
    """
    where = data.get(split)
    if where is None:
        raise DetrtError(f"the data block `{name}` has no split `{split}`", f"data.{name}", f"name it: {split} = ...")
    where = {"split": where, "folder": where} if isinstance(where, str) else dict(where)
    options = dict(data.get("options") or {})
    kind = data.get("format")
    if kind == "synthetic":
        from detrt.data.synthetic import (
            open_synthetic,  # also a program of its own, which must not be loaded before it runs
        )

        return open_synthetic(name, split, where, data.get("classes"), options)
    root = data_root(base_dir, str(data.get("root") or "."))
    classes = read_classes(root, data.get("classes"), data.get("classes_file"))
    if kind == "voc":
        dataset = open_voc(name, split, root, where, classes)
        return dataset if options.get("difficult") or split != "train" else _without(dataset, "difficult")
    if kind == "coco":
        dataset = open_coco(name, split, root, where, classes)
        return dataset if options.get("crowd") or split != "train" else _without(dataset, "crowd")
    if kind == "images":
        return open_folder(name, split, root, where, classes)
    raise DetrtError(f"unknown data format `{kind}`", f"data.{name}.format", f"known: {', '.join(FORMATS)}")


def _without(dataset: DataSet, flag: str) -> DataSet:
    """Training does not aim at boxes with this flag unless it is asked to; scoring keeps them and follows the rules
    for them.
    """
    pictures = [replace(p, annotation=p.annotation.take(~getattr(p.annotation, flag))) for p in dataset.pictures]
    return replace(dataset, pictures=tuple(pictures))

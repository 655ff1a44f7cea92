"""From a data block of the lock to one split of pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from detrt.data.bdd100k import open_bdd100k, open_bdd100k_track
from detrt.data.carve import carve
from detrt.data.class_folders import open_class_folders
from detrt.data.classes import read_classes
from detrt.data.coco import open_coco
from detrt.data.folders import open_folder
from detrt.data.gnetdet_list import open_gnetdet
from detrt.data.notice import Notice
from detrt.data.root import data_root
from detrt.data.sample import DataSet
from detrt.data.video import open_video
from detrt.data.voc import open_voc
from detrt.data.yolo import open_yolo
from detrt.errors import DetrtError


@dataclass(frozen=True, slots=True)
class Block:
    """One split of a data block with the root found and the classes read; what a reader is given."""

    name: str
    split: str
    root: Path
    where: dict[str, Any]
    classes: tuple[str, ...] | None
    options: dict[str, Any]

    def common(self) -> tuple[str, str, Path, dict[str, Any], tuple[str, ...] | None]:
        """What every reader takes."""
        return self.name, self.split, self.root, self.where, self.classes


READERS: dict[str, Callable[[Block], DataSet]] = {
    "voc": lambda b: open_voc(*b.common()),
    "coco": lambda b: open_coco(*b.common()),
    "yolo": lambda b: open_yolo(*b.common(), b.options.get("names")),
    "gnetdet": lambda b: open_gnetdet(*b.common(), b.options.get("names")),
    "bdd100k": lambda b: open_bdd100k(*b.common()),
    "bdd100k_track": lambda b: open_bdd100k_track(*b.common(), int(b.options.get("steps") or 32)),
    "folders": lambda b: open_class_folders(*b.common()),
    "images": lambda b: open_folder(*b.common()),
    "video": lambda b: open_video(*b.common(), int(b.options.get("every") or 1)),
}
FLAGS = {"voc": "difficult", "coco": "crowd", "bdd100k": "crowd", "bdd100k_track": "crowd"}
"""What marks boxes that training does not aim at unless the option of this name asks for it; scoring keeps them and
follows the rules for them.
"""
FORMATS = (*READERS, "synthetic")


def has_split(data: Mapping[str, Any], split: str) -> bool:
    """True if the data block of the lock names this split."""
    return data.get(split) is not None


def open_dataset(data: Mapping[str, Any], split: str, base_dir: Path, name: str = "data") -> DataSet:
    """One split (`train`, `val` or `test`) of `lock["data"][name]`; a relative `root` is looked up in `base_dir`,
    the spec's folder.

    Reads label files, not pictures: run `detrt.data.check.check_labels` over the result before using it. Raises
    DetrtError.
    """
    carved = data.get("val")
    if isinstance(carved, Mapping) and carved.get("of") == "train" and split != "test":
        train, val = carve(_read(data, "train", base_dir, name), float(carved["share"]), int(carved.get("seed") or 0))
        dataset = train if split == "train" else replace(val, split="val")
    else:
        dataset = _read(data, split, base_dir, name)
    flag = FLAGS.get(str(data.get("format")))
    if split != "train" or flag is None or (data.get("options") or {}).get(flag):
        return dataset
    return _without(dataset, flag)


def _read(data: Mapping[str, Any], split: str, base_dir: Path, name: str) -> DataSet:
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

        if options.get("frames") is not None:
            from detrt.data.moving import open_moving

            return open_moving(name, split, where, data.get("classes"), options)
        return open_synthetic(name, split, where, data.get("classes"), options)
    reader = READERS.get(str(kind))
    if reader is None:
        raise DetrtError(f"unknown data format `{kind}`", f"data.{name}.format", f"known: {', '.join(FORMATS)}")
    root = data_root(base_dir, str(data.get("root") or "."))
    classes = read_classes(root, data.get("classes"), data.get("classes_file"))
    return _once(reader(Block(name, split, root, where, classes, options)))


def _without(dataset: DataSet, flag: str) -> DataSet:
    pictures = [replace(p, annotation=p.annotation.take(~getattr(p.annotation, flag))) for p in dataset.pictures]
    return replace(dataset, pictures=tuple(pictures))


def _once(dataset: DataSet) -> DataSet:
    """Every name once: detections are put together with their pictures by name."""
    count = Counter(picture.id for picture in dataset)
    if len(count) == len(dataset):
        return dataset
    seen: set[str] = set()
    kept, notices = [], list(dataset.notices)
    for picture in dataset:
        if picture.id in seen:
            notices.append(Notice("repeated picture", picture.id, "two pictures of this name", "left out the second"))
        else:
            kept.append(picture)
        seen.add(picture.id)
    return replace(dataset, pictures=tuple(kept), notices=tuple(notices))

"""What the commands that write a data set share: where to, how the pictures get there, and the lines at the end."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from detc.commands.data.source import Source, checked

if TYPE_CHECKING:
    from detrt.data.sample import DataSet

FORMS = ("voc", "coco", "yolo", "gnetdet")


def add_making(parser: argparse.ArgumentParser, form: str | None) -> None:
    """--to, -o, --pictures, --classes and --drop-empty."""
    more = f" (default: {form})" if form else ""
    parser.add_argument("--to", choices=FORMS, required=form is None, default=form, help=f"format of the new set{more}")
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", required=True, help="a new folder")
    parser.add_argument(
        "--pictures", choices=("copy", "link", "none"), default="copy", help="hard links take no room (default: copy)"
    )
    parser.add_argument("--classes", metavar="A,B", help="only these classes, numbered in this order")
    parser.add_argument("--drop-empty", action="store_true", help="leave pictures without boxes out")


def usable(source: Source, args: argparse.Namespace) -> dict[str, DataSet]:
    """The checked splits that are asked for, all with the same classes. Raises DetrtError."""
    from detrt.data.select import only_classes, without_empty
    from detrt.errors import DetrtError

    splits = {split: checked(source, split, print) for split in source.splits(args.split)}
    if args.classes:
        names = [name.strip() for name in args.classes.split(",") if name.strip()]
        splits = {split: only_classes(dataset, names) for split, dataset in splits.items()}
    if args.drop_empty:
        splits = {split: without_empty(dataset) for split, dataset in splits.items()}
    splits = _of_same_classes(splits)
    for split, dataset in splits.items():
        if not dataset.classes:
            raise DetrtError("a set without classes has no labels to write", f"data.{source.name}.{split}")
        if not len(dataset):
            raise DetrtError("no picture is left", f"data.{source.name}.{split}")
    return splits


def write(folder: Path, splits: Mapping[str, DataSet], args: argparse.Namespace) -> None:
    """Writes and says what was written, and the data block that reads it. Raises DetrtError."""
    from detc.commands.progress import bar
    from detrt.data.writing import FORMS as WRITERS
    from detrt.data.writing import write_set

    with bar(f"writing {folder}") as tick:
        done = write_set(folder, splits, args.to, args.pictures, tick)
    counts = ", ".join(f"{split} {len(dataset):,}" for split, dataset in splits.items())
    print(f"{folder}: {done.pictures:,} pictures ({counts}), {done.boxes:,} boxes as {args.to}")
    for flag, count in done.lost.items():
        print(f"  {count:,} boxes were marked `{flag}`, for which {args.to} has no place")
    form, classes = WRITERS[args.to], next(iter(splits.values())).classes
    named = {split: f'"{form.train.replace("{split}", split)}"' for split in splits}
    if "train" not in named:  # a block has to name what is learned from
        named["train"] = named.pop(next(iter(named)))
    given = [f"{split} = {named.get(split, 'none')}" for split in ("train", "val")]
    given += [f"test = {named['test']}"] if "test" in named else []
    listed = ", ".join(f'"{name}"' for name in classes)
    keys = ", ".join([f'root = path("{folder}")', *given, form.more.replace("[..]", f"[{listed}]")])
    print(f"in a spec:  data mine = data.{args.to}({keys})")


def _of_same_classes(splits: dict[str, DataSet]) -> dict[str, DataSet]:
    """Where the label files name the classes, a split may lack one: all get those of any, by name."""
    from dataclasses import replace

    import numpy as np

    every = list(dict.fromkeys(name for dataset in splits.values() for name in dataset.classes))
    if all(list(dataset.classes) == every for dataset in splits.values()):
        return splits
    every.sort()
    made = {}
    for split, dataset in splits.items():
        new = np.array([every.index(name) for name in dataset.classes], np.int64)
        pictures = [
            replace(p, annotation=replace(p.annotation, labels=new[p.annotation.labels])) if len(p.annotation) else p
            for p in dataset
        ]
        made[split] = replace(dataset, classes=tuple(every), pictures=tuple(pictures))
    return made

"""Smaller sets out of larger ones: some classes, some pictures, new splits. The seed and the names decide, nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from detrt.data.classes import nearest
from detrt.data.sample import DataSet, Picture
from detrt.errors import DetrtError


def only_classes(dataset: DataSet, names: Sequence[str], drop_empty: bool = False) -> DataSet:
    """Boxes of these classes alone, numbered in this order. Raises DetrtError for a name that is no class of the set."""
    for name in names:
        if name not in dataset.classes:
            hint = f"classes: {', '.join(dataset.classes[:12])}"
            raise DetrtError(f"no class `{name}`{nearest(name, dataset.classes)}", f"data.{dataset.name}", hint)
    new = np.full(len(dataset.classes), -1, np.int64)
    for number, name in enumerate(names):
        new[dataset.classes.index(name)] = number
    pictures = []
    for picture in dataset:
        kept = picture.annotation.take(new[picture.annotation.labels] >= 0)
        if len(kept) or not drop_empty:
            pictures.append(replace(picture, annotation=replace(kept, labels=new[kept.labels])))
    return replace(dataset, classes=tuple(names), pictures=tuple(pictures))


def without_empty(dataset: DataSet) -> DataSet:
    """Without the pictures that have no box."""
    return replace(dataset, pictures=tuple(p for p in dataset if len(p.annotation)))


def shuffled(pictures: Sequence[Picture], seed: int) -> list[Picture]:
    """In the order of the hashes of seed and name, so that it does not depend on what else is in the set."""
    return sorted(pictures, key=lambda p: hashlib.sha256(f"{seed}\n{p.id}".encode()).digest())


def some(dataset: DataSet, count: int, seed: int = 0, balanced: bool = True) -> DataSet:
    """`count` pictures, in their old order. With `balanced` each next picture holds the class that is rarest so far, so
    that no class is missing where there is room for all.
    """
    order = shuffled(dataset.pictures, seed)
    chosen = _balanced(order, count, len(dataset.classes)) if balanced and dataset.classes else order[:count]
    ids = {picture.id for picture in chosen}
    return replace(dataset, pictures=tuple(p for p in dataset if p.id in ids))


def _balanced(order: list[Picture], count: int, classes: int) -> list[Picture]:
    waiting: list[list[Picture]] = [[] for _ in range(classes)]
    for picture in reversed(order):
        for label in np.unique(picture.annotation.labels).tolist():
            waiting[label].append(picture)
    held, taken = np.zeros(classes, np.int64), set[str]()
    chosen: list[Picture] = []
    while len(chosen) < count:
        for queue in waiting:
            while queue and queue[-1].id in taken:
                queue.pop()
        open_ = [label for label in range(classes) if waiting[label]]
        if not open_:
            break
        picture = waiting[min(open_, key=lambda label: held[label])].pop()
        taken.add(picture.id)
        chosen.append(picture)
        held += np.bincount(picture.annotation.labels, minlength=classes)
    return chosen + [p for p in order if p.id not in taken][: count - len(chosen)]


def parted(dataset: DataSet, shares: Mapping[str, float], seed: int = 0) -> dict[str, DataSet]:
    """Splits with about these shares of the pictures (they are made to sum to 1); frames of a video stay together.

    Raises DetrtError where a split would be empty.
    """
    groups: dict[str, list[Picture]] = {}
    for picture in dataset:
        groups.setdefault(picture.video or picture.id, []).append(picture)
    order = sorted(groups, key=lambda name: hashlib.sha256(f"{seed}\n{name}".encode()).digest())
    total, splits = sum(shares.values()), list(shares)
    ends = np.cumsum([shares[name] / total for name in splits]) * len(dataset)
    parts: dict[str, set[str]] = {name: set() for name in splits}
    done = 0
    for name in order:
        at = int(np.searchsorted(ends, done + 0.5))
        parts[splits[min(at, len(splits) - 1)]].add(name)
        done += len(groups[name])
    empty = next((name for name, members in parts.items() if not members), None)
    if empty is not None:
        raise DetrtError(f"the split `{empty}` would be empty", f"data.{dataset.name}", "raise its share")
    return {
        split: replace(dataset, split=split, pictures=tuple(p for p in dataset if (p.video or p.id) in members))
        for split, members in parts.items()
    }


def joined(parts: Sequence[DataSet]) -> DataSet:
    """One set of several splits; a name that two of them have gets its split in front."""
    count: dict[str, int] = {}
    for dataset in parts:
        for picture in dataset:
            count[picture.id] = count.get(picture.id, 0) + 1
    pictures = [
        replace(p, id=f"{dataset.split}/{p.id}") if count[p.id] > 1 else p for dataset in parts for p in dataset
    ]
    return replace(parts[0], pictures=tuple(pictures), notices=tuple(n for d in parts for n in d.notices))

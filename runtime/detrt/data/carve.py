"""A part of the training split, held back for validation or taken for calibration: the same on every machine and in every run."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from detrt.data.sample import DataSet, Picture
from detrt.errors import DetrtError


def carve(dataset: DataSet, share: float, seed: int) -> tuple[DataSet, DataSet]:
    """(what stays for training, what is held back): `share` of the pictures, chosen by the hash of seed and name.

    A picture that is added later moves hardly another one across. Frames of one video stay together. Raises DetrtError
    where one of the two would be empty.
    """
    order = sorted({_group(p) for p in dataset}, key=lambda name: hashlib.sha256(f"{seed}\n{name}".encode()).digest())
    size: dict[str, int] = {}
    for picture in dataset:
        size[_group(picture)] = size.get(_group(picture), 0) + 1
    wanted, held, count = round(share * len(dataset)), set(), 0
    for name in order:
        if count >= wanted:
            break
        held.add(name)
        count += size[name]
    parts = [tuple(p for p in dataset if (_group(p) in held) == back) for back in (False, True)]
    if not all(parts):
        raise DetrtError(
            f"{share:.1%} of {len(order)} pictures or videos leaves a split empty",
            f"data.{dataset.name}.validation_split",
        )
    return replace(dataset, pictures=parts[0]), replace(dataset, pictures=parts[1])


def part_of(dataset: DataSet, share: float) -> DataSet:
    """`share` of the pictures, at least one, chosen by the hash of their names. Raises DetrtError for a share outside 0 .. 1."""
    if not 0 < share < 1:
        raise DetrtError(
            f"{share:g} is no share of the pictures", f"data.{dataset.name}.quantization_split", "e.g. 10 %"
        )
    order = sorted(dataset, key=lambda picture: hashlib.sha256(picture.id.encode()).digest())
    return replace(dataset, pictures=tuple(order[: max(1, round(share * len(dataset)))]))


def _group(picture: Picture) -> str:
    return picture.video or picture.id

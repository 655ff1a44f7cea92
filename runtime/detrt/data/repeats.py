"""Pictures that two splits share, byte for byte: what is learned from must not be tested on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import combinations

from detrt.data.sample import DataSet


def repeats(splits: Mapping[str, DataSet]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """For each pair of splits that share pictures the pairs of their names. Only files of equal size are read."""
    by_size: dict[int, list[tuple[str, str, int]]] = {}
    for split, dataset in splits.items():
        for index, picture in enumerate(dataset):
            if dataset.on_disk and not picture.video:
                by_size.setdefault(picture.path.stat().st_size, []).append((split, picture.id, index))
    by_content: dict[bytes, dict[str, str]] = {}
    for same in by_size.values():
        if len({split for split, _, _ in same}) > 1:
            for split, id, index in same:
                digest = hashlib.blake2b(splits[split].pictures[index].path.read_bytes()).digest()
                by_content.setdefault(digest, {}).setdefault(split, id)
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for names in by_content.values():
        for first, second in combinations([split for split in splits if split in names], 2):
            found.setdefault((first, second), []).append((names[first], names[second]))
    return found

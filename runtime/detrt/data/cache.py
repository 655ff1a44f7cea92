"""Decoded pictures kept in memory or on disk, up to a limit. What is kept changes the speed only, never a value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from detrt.data.disk_cache import DiskCache
from detrt.data.sample import DataSet, Image

SHARE = 0.25
"""Part of the free memory that may be used."""


def free_memory() -> int:
    """Bytes that can be had without swapping; 0 where the system does not say."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 0


class PictureCache:
    """Reads pictures of one set by index; the first ones that fit into `limit` bytes (default: a quarter of the
    free memory) stay. What does not is looked up in `below` if there is one.
    """

    def __init__(self, dataset: DataSet, limit: int | None = None, below: DiskCache | None = None) -> None:
        self.dataset, self.below = dataset, below
        self._left = int(free_memory() * SHARE) if limit is None else limit
        self._images: dict[int, Image] = {}

    def __getitem__(self, index: int) -> Image:
        """Shared with other readers: do not write into it."""
        image = self._images.get(index)
        if image is None:
            picture = self.dataset.pictures[index]
            read = self.dataset.read_image
            image = self.below.get(picture, read) if self.below is not None else read(picture)
            if image.nbytes <= self._left:
                self._left -= image.nbytes
                self._images[index] = image
        return image


def picture_cache(dataset: DataSet, settings: Mapping[str, Any] | None) -> PictureCache:
    """As the option `cache` of the lock's data block says: `{"name": "ram", "size": bytes or null}`, `{"name": "disk",
    "folder": path or null, "size": bytes}`, or null for none.

    Sets that are made by code have no files, so nothing of them goes to the disk.
    """
    if settings is None:
        return PictureCache(dataset, limit=0)
    if settings.get("name") == "disk" and dataset.on_disk:
        return PictureCache(dataset, limit=0, below=DiskCache.of(settings))
    size = settings.get("size") if settings.get("name") == "ram" else None
    return PictureCache(dataset, limit=None if size is None else int(size))

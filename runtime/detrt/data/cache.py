"""Decoded pictures kept in memory up to a limit. What is kept changes the speed only, never a value."""

from __future__ import annotations

import os

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
    free memory) stay.
    """

    def __init__(self, dataset: DataSet, limit: int | None = None) -> None:
        self.dataset = dataset
        self._left = int(free_memory() * SHARE) if limit is None else limit
        self._images: dict[int, Image] = {}

    def __getitem__(self, index: int) -> Image:
        """Shared with other readers: do not write into it."""
        image = self._images.get(index)
        if image is None:
            image = self.dataset.read_image(self.dataset.pictures[index])
            if image.nbytes <= self._left:
                self._left -= image.nbytes
                self._images[index] = image
        return image

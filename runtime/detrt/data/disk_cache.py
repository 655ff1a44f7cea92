"""Decoded pictures on disk, for sets that are decoded slower than they are read and do not fit into memory."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from detrt.data.sample import Image, Picture
from detrt.errors import DetrtError

SIZE = 20 * 2**30
"""Bytes that the cache may take where the spec does not say."""


def default_folder() -> Path:
    """Below the user's cache folder (XDG base directories)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "detc" / "pictures"


class DiskCache:
    """Arrays by the picture they were decoded from: its path, size, time of change and frame make the name.

    A picture that is changed gets another name, so nothing old is ever read. Once `limit` bytes are there, nothing is
    added. A full disk or a damaged entry costs time, not the run.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._left = limit - sum(entry.stat().st_size for entry in folder.glob("??/*.npy"))
        except OSError as error:
            raise DetrtError(f"cannot use the cache folder: {error.strerror or error}", folder) from error

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> DiskCache:
        """From the lock's `{"name": "disk", "folder": .., "size": ..}`."""
        folder = settings.get("folder")
        size = settings.get("size")
        return cls(Path(folder).expanduser() if folder else default_folder(), SIZE if size is None else int(size))

    def get(self, picture: Picture, read: Callable[[Picture], Image]) -> Image:
        """The picture from the cache, else as `read` gives it; then it is kept."""
        file = self._file(picture)
        kept = _load(file) if file is not None else None
        if kept is not None:
            return kept
        image = read(picture)
        if file is not None and image.nbytes + 128 <= self._left:
            self._store(file, image)
        return image

    def _file(self, picture: Picture) -> Path | None:
        try:
            state = picture.path.stat()
        except OSError:
            return None
        name = f"{picture.path.absolute()}\n{state.st_size}\n{state.st_mtime_ns}\n{picture.frame}"
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        return self.folder / digest[:2] / f"{digest[2:]}.npy"

    def _store(self, file: Path, image: Image) -> None:
        temporary = ""
        try:
            file.parent.mkdir(exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".")
            with os.fdopen(handle, "wb") as stream:
                np.save(stream, image, allow_pickle=False)
            os.replace(temporary, file)
            self._left -= image.nbytes + 128
        except OSError:  # such as a full disk: go on without
            self._left = 0
            with suppress(OSError):
                Path(temporary).unlink(missing_ok=True)


def _load(file: Path) -> Image | None:
    try:
        image = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return image if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 else None

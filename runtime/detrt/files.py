"""Results are written whole or not at all: into a temporary file beside, then moved into place."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2

from detrt.data.sample import Image
from detrt.errors import DetrtError


def write_bytes(path: Path, data: bytes) -> None:
    """Raises DetrtError where the disk is full or the folder cannot be written; an older file then stays as it was."""
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise DetrtError(f"cannot write: {error.strerror or error}", path) from error


class TextOut:
    """A text that grows piece by piece: whole under its name when it is closed; `discard` leaves nothing of it."""

    def __init__(self, path: Path) -> None:
        """Raises DetrtError where the folder cannot be written."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
        except OSError as error:
            raise DetrtError(f"cannot write: {error.strerror or error}", path) from error
        self._temporary = Path(name)
        self._stream = os.fdopen(handle, "w", encoding="utf-8", newline="")

    def write(self, text: str) -> None:
        """Raises DetrtError where the disk is full."""
        try:
            self._stream.write(text)
        except OSError as error:
            raise DetrtError(f"cannot write: {error.strerror or error}", self.path) from error

    def close(self) -> None:
        """Raises DetrtError where the disk is full; an older file then stays as it was."""
        try:
            self._stream.close()
            os.chmod(self._temporary, 0o644)
            os.replace(self._temporary, self.path)
        except OSError as error:
            raise DetrtError(f"cannot write: {error.strerror or error}", self.path) from error

    def discard(self) -> None:
        """Lets go of a text that was not closed."""
        with suppress(OSError):
            self._stream.close()
        self._temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """UTF-8; see `write_bytes`."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    """Two-space indent; see `write_bytes`."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_png(path: Path, image: Image) -> None:
    """A BGR picture as PNG; see `write_bytes`."""
    encoded, data = cv2.imencode(".png", image)
    if not encoded:
        raise DetrtError(f"cannot encode a picture of {image.shape[1]}x{image.shape[0]}", path)
    write_bytes(path, data.tobytes())

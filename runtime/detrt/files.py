"""Results are written whole or not at all: into a temporary file beside, then moved into place."""

from __future__ import annotations

import json
import os
import tempfile
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

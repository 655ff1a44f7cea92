"""Reading picture files: complete ones only, always 8-bit BGR."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**27))  # a hostile header must not ask for gigabytes

import cv2
import numpy as np

from detrt.data.sample import Image, Picture
from detrt.errors import DetrtError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".webp", ".tif", ".tiff")
"""File names taken for pictures where a folder is searched."""


def read_picture(path: Path) -> Image:
    """uint8 [height, width, 3] BGR. Raises DetrtError for a missing, truncated or foreign file.

    A JPEG or PNG without its end marker is refused: decoders fill what is missing with grey and report nothing.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DetrtError(f"cannot read the picture: {error.strerror or error}", path) from error
    if not data:
        raise DetrtError("the picture is an empty file", path)
    if _is_cut(data):
        raise DetrtError("the picture is cut off: its end marker is missing", path)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise DetrtError(f"cannot decode the picture: {error.err or 'too large'}", path) from error
    if image is None or image.ndim != 3 or 0 in image.shape:
        raise DetrtError(
            "cannot decode the picture: not a picture, or a damaged one", path, f"known formats: {', '.join(SUFFIXES)}"
        )
    return np.asarray(image, np.uint8)


def read_image(picture: Picture) -> Image:
    """The image of a set's entry."""
    return read_picture(picture.path)


def _is_cut(data: bytes) -> bool:
    if data[:2] == b"\xff\xd8":
        return b"\xff\xd9" not in data[-1024:]
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return b"IEND" not in data[-1024:]
    return False

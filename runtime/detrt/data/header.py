"""Width and height of a picture file from its header, for labels that are shares of the picture."""

from __future__ import annotations

import struct
from pathlib import Path

from detrt.data.picture import read_picture

_HEAD = 2**18
"""Bytes in which the header is looked for; a JPEG with more metadata than this is decoded instead."""
_NO_LENGTH = {0x01, *range(0xD0, 0xDA)}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels as `read_picture` gives them, so with the EXIF orientation applied.

    JPEG and PNG without reading all of the file, others by decoding. Raises DetrtError where it is no picture.
    """
    try:
        with open(path, "rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        head = b""
    size = _jpeg(head) if head[:2] == b"\xff\xd8" else _png(head)
    if size is not None and min(size) > 0:
        return size
    height, width = read_picture(path).shape[:2]
    return width, height


def _png(head: bytes) -> tuple[int, int] | None:
    """PNG specification, 11.2.2: IHDR comes first. With an eXIf chunk the decoder may turn the picture: None."""
    if head[:8] != b"\x89PNG\r\n\x1a\n" or head[12:16] != b"IHDR" or len(head) < 24 or b"eXIf" in head:
        return None
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def _jpeg(head: bytes) -> tuple[int, int] | None:
    """ITU-T T.81, annex B: segments up to the frame header, which holds height and width."""
    turned, at = False, 2
    while at + 4 <= len(head):
        if head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _NO_LENGTH:
            at += 2
            continue
        length = int.from_bytes(head[at + 2 : at + 4])
        if marker in _FRAMES:
            if at + 9 > len(head):
                return None
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return (height, width) if turned else (width, height)
        if marker == 0xE1 and head[at + 4 : at + 10] == b"Exif\0\0":
            turned = turned or _orientation(head[at + 10 : at + 2 + length]) in (5, 6, 7, 8)
        at += 2 + length
    return None


def _orientation(tiff: bytes) -> int:
    """Tag 0x0112 of the first directory (EXIF 2.32, 4.6.4): 5 to 8 change width for height; 1 where there is none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 1
    start = struct.unpack(order + "I", tiff[4:8])[0]
    if start + 2 > len(tiff):
        return 1
    count = struct.unpack(order + "H", tiff[start : start + 2])[0]
    for entry in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind = struct.unpack(order + "HH", tiff[entry : entry + 4])
        if tag == 0x0112 and kind == 3:
            return int(struct.unpack(order + "H", tiff[entry + 8 : entry + 10])[0])
    return 1

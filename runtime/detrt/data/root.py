"""Files of a data set stay under its root, whatever its label files say."""

from __future__ import annotations

import json
import os
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

from detrt.errors import DetrtError

LABEL_FILE_LIMIT = 2**31
"""Bytes above which a label file is refused instead of read into memory."""


def data_root(base: Path, root: str) -> Path:
    """The folder of a data set; `root` is relative to `base` unless it is absolute. Raises DetrtError if it is no
    folder.
    """
    folder = (base / Path(root).expanduser()).resolve()
    if not folder.is_dir():
        raise DetrtError(
            f"there is no data folder `{root}`",
            folder,
            "put the data there, or point elsewhere: --set data.NAME.root=PATH",
        )
    return folder


def beneath(root: Path, name: str) -> Path | None:
    """`root / name`, or None if that leaves the root (`..`, an absolute name, a link that points outside) or is no
    file name at all.
    """
    if not name or "\0" in name or len(name) > 4096:
        return None
    base = _real(str(root))
    try:
        path = os.path.realpath(os.path.join(base, name))
    except (OSError, ValueError):  # ValueError: a lone surrogate, which JSON may hold
        return None
    inside = path == base or path.startswith(base.rstrip(os.sep) + os.sep)
    return Path(path) if inside else None


@lru_cache(maxsize=64)
def _real(root: str) -> str:
    return os.path.realpath(root)


def require_beneath(root: Path, name: str, what: str) -> Path:
    """As `beneath`, with an error that names `what` for a path that leaves the root."""
    path = beneath(root, name)
    if path is None:
        raise DetrtError(f"{what} `{name}` leaves the data folder", root, "name a file under the data root")
    return path


def read_label_text(path: Path, what: str) -> str:
    """A label file as text. Raises DetrtError if it is missing, too large or not UTF-8."""
    try:
        if path.stat().st_size > LABEL_FILE_LIMIT:
            raise DetrtError(f"the {what} is larger than {LABEL_FILE_LIMIT // 2**30} GiB", path)
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DetrtError(f"cannot read the {what}: {error.strerror or error}", path) from error
    except UnicodeDecodeError as error:
        raise DetrtError(f"the {what} is not UTF-8 (byte {error.start})", path) from error


def read_label_json(path: Path, what: str) -> Any:
    """A label file as JSON. Raises DetrtError with line and column where it is malformed."""
    text = read_label_text(path, what)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DetrtError(f"the {what} is not JSON: {error.msg}", f"{path}:{error.lineno}:{error.colno}") from error
    except ValueError as error:  # a number of more digits than Python reads
        raise DetrtError(f"the {what} is not JSON: {str(error)[:80]}", path) from error
    except RecursionError as error:
        raise DetrtError(f"the {what} is nested too deeply", path) from error


def printable(value: object, most: int = 200) -> str:
    """The text of a value from a label file, fit for a terminal and for UTF-8 (a name may be neither) and of at most
    `most` of its characters: what would end a line, move the cursor or turn the direction of writing is escaped.
    """
    return "".join(
        c if c.isprintable() or unicodedata.category(c) == "Zs" else c.encode("unicode_escape").decode("ascii")
        for c in str(value)[:most]
    )

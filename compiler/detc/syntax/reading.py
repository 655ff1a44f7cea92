"""Reading a spec from disk: bounded, and refused with a finding when it is no UTF-8 text."""

from __future__ import annotations

import os
import stat

from detc.diagnostics import Finding, Source
from detc.syntax import mistakes

MAX_BYTES = 1 << 20


def read_source(path: str | os.PathLike[str], shown: str | None = None) -> tuple[Source | None, tuple[Finding, ...]]:
    """The text at `path`, called `shown` in findings (default: the path as given). A byte order mark is dropped; line
    ends stay as they are. At most MAX_BYTES are read."""
    name = shown or os.fspath(path)
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            reason = "it is a folder" if stat.S_ISDIR(mode) else "it is not a file"
            return None, (mistakes.UNREADABLE(None, path=name, reason=reason),)
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        return None, (mistakes.UNREADABLE(None, path=name, reason=reason),)
    if len(data) > MAX_BYTES:
        actual = f"{max(size, len(data)) / 1e6:.1f} MB"
        return None, (mistakes.TOO_LONG(None, path=name, actual=actual, allowed=f"{MAX_BYTES / 1e6:.1f} MB"),)
    if b"\0" in data:
        place = f"byte {data.index(0)} is NUL"
        return None, (
            mistakes.NOT_TEXT(None, path=name, reason=place, help="is this really a spec, and not a binary file?"),
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = f"byte {error.start} (line {line}) is 0x{data[error.start]:02x}"
        return None, (mistakes.NOT_TEXT(None, path=name, reason=reason),)
    return Source(name, text), ()

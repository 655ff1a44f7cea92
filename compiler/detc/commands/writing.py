"""Where a command's result goes: printed, or into a file that is either whole or untouched."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path


def deliver(text: str, out: Path | None) -> None:
    """Prints `text`, or writes it to `out`. Characters that the terminal cannot show are replaced. Raises OSError."""
    if out is not None:
        write_whole(out, text)
        return
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def write_whole(path: Path, text: str) -> None:
    """Writes a file by way of a temporary one beside it, so that a full disk or Ctrl-C leaves the old one.

    A file that is there keeps its permissions. Raises OSError, which names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
        os.replace(temporary, path)
    except OSError as error:
        error.filename = str(path)  # not the temporary one, which says nothing to the user
        raise
    finally:
        temporary.unlink(missing_ok=True)

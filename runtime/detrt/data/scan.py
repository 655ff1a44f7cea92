"""Folders searched for pictures: in order of names, nothing from outside the data root, and only names that are text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from detrt.data.notice import Notice
from detrt.data.picture import SUFFIXES
from detrt.data.root import printable

DEEPEST = 32
"""Folders within folders that are searched."""


def files_below(
    folder: Path, root: Path | None, suffixes: tuple[str, ...] = SUFFIXES, deepest: int = DEEPEST
) -> tuple[list[Path], list[Notice]]:
    """Files under `folder` with one of `suffixes` (in small letters), by name; hidden ones are passed over silently.

    Left out with a notice: names that are not UTF-8, links that lead out of `root` if one is given. Linked folders are
    not followed.
    """
    notices: list[Notice] = []
    found: list[Path] = []
    for entry in _walk(folder, deepest):
        name = os.fsdecode(entry.name)
        if not name.lower().endswith(suffixes):
            continue
        where = printable(os.path.relpath(entry.path, folder))
        if not is_text(entry.path):
            notices.append(Notice("broken name", where, "the name is not UTF-8", "left out the picture"))
        elif root is not None and entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(root):
            notices.append(Notice("broken name", where, "a link out of the data folder", "left out the picture"))
        elif entry.is_file():
            found.append(Path(entry.path))
    return sorted(found), notices


def ids_of(files: list[Path], folder: Path) -> list[str]:
    """Names relative to `folder` without suffix; with it where two files differ in nothing else."""
    plain = [path.relative_to(folder).with_suffix("").as_posix() for path in files]
    twice = {name for name, other in zip(sorted(plain), sorted(plain)[1:], strict=False) if name == other}
    return [
        path.relative_to(folder).as_posix() if name in twice else name for name, path in zip(plain, files, strict=True)
    ]


def is_text(name: str) -> bool:
    """False for a file name whose bytes are not UTF-8."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _walk(folder: Path, deepest: int) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if deepest > 0:
                        yield from _walk(Path(entry.path), deepest - 1)
                else:
                    yield entry
    except OSError:
        return

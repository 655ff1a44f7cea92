"""The build folder: written whole or not at all, and never over what the user changed.

A file counts as edited if it is neither what detc last wrote (by MANIFEST.json) nor what it would write now. It stays as it
is; where detc has something new for it, that goes into NAME.new beside it. `runs/` and `artifacts/` are left alone.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from detc.codegen import manifest
from detc.codegen.manifest import Manifest, digest
from detc.diagnostics import Finding, Rule

EDITED = Rule(
    "BLD101",
    "warning",
    """`{path}` was edited since detc wrote it; the new version is beside it as `{path}.new`

    A build never writes over a change of yours. Take over what you like from the .new file; once both are the same, it
    goes away.""",
    help="merge the two, or build with --force to have detc's version",
)
OUTSIDE = Rule(
    "BLD102",
    "error",
    """`{path}` is a link or lies behind one; a build writes only inside its own folder

    Whatever a link points at is not part of the build folder, so nothing is written through it.""",
    help="remove the link, or choose another folder with -o",
)
FAILED = Rule(
    "BLD103",
    "error",
    """`{path}` cannot be written: {reason}

    Every file is first written beside its place and then renamed, so none is left half-written; those that were there are
    as before or whole and new.""",
    help="free some space or choose another folder with -o, then build again",
)

Action = Literal["create", "update", "unchanged", "edited", "kept", "delete"]
OWN_FOLDERS = ("runs", "artifacts")
"""Folders of the user's results: nothing in them is ever written or deleted here."""

DIFF_LINES = 12


@dataclass(frozen=True, slots=True)
class Change:
    """What a build does to a file. `edited`: the user changed it and detc has a new version, which goes to PATH.new;
    `kept`: the user changed it and nothing is new. `diff` has the first lines of a unified diff."""

    path: str
    action: Action
    diff: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `write` did and what there is to say about it; nothing was written if a finding is an error."""

    changes: tuple[Change, ...]
    findings: tuple[Finding, ...] = ()


def plan_changes(out: Path, files: Mapping[str, str], force: bool = False) -> tuple[Change, ...]:
    """What `write` would do, in order of path. Reads only."""
    known = manifest.read(out)
    changes = [_change(out, path, text, known, force) for path, text in sorted(files.items())]
    return (*changes, *_deletions(out, files, known))


def write(out: Path, files: Mapping[str, str], facts: Mapping[str, Any], force: bool = False) -> Outcome:
    """Writes the files and MANIFEST.json under `out`; `facts` as by `manifest.facts_of`. `force` overwrites edited files.

    Deterministic; no file is ever half-written. Raises nothing for a full disk, a link or a file in the way: findings.
    """
    places = (*files, *(f"{path}.new" for path in files), manifest.NAME)
    blocked = [OUTSIDE(None, path=path) for path in places if _behind_link(out, path)]
    if blocked:
        return Outcome((), tuple(blocked))
    known = manifest.read(out)
    changes = plan_changes(out, files, force)
    contents = {c.path: files[c.path] for c in changes if c.action in ("create", "update")}
    offers = {f"{c.path}.new": files[c.path] for c in changes if c.action == "edited"}
    waiting = {f"{c.path}.new" for c in changes if c.action == "kept"}
    kept = {path: sum_ for path, sum_ in known.offered.items() if path in waiting}
    sums = {path: digest(text.encode()) for path, text in files.items()}
    offered = kept | {path: digest(text.encode()) for path, text in offers.items()}
    new = Manifest(facts, sums, offered)
    stale = [
        path
        for path, sum_ in known.offered.items()
        if path not in offered and _inside(path) and not _behind_link(out, path) and _sum(out, path) == sum_
    ]
    gone = [c.path for c in changes if c.action == "delete"] + stale
    try:
        _replace(out, {**contents, **offers, manifest.NAME: new.text()})
        for path in gone:
            (out / path).unlink(missing_ok=True)
    except OSError as error:
        name = error.filename or str(out)
        return Outcome((), (FAILED(None, path=os.fspath(name), reason=error.strerror or str(error)),))
    edited = tuple(EDITED(None, path=c.path) for c in changes if c.action == "edited")
    return Outcome(changes, edited)


def _change(out: Path, path: str, text: str, known: Manifest, force: bool) -> Change:
    there = _content(out, path)
    if there is None:
        return Change(path, "create")
    wanted = text.encode()
    if there == wanted:
        return Change(path, "unchanged")
    diff = _diff(there, text, path)
    if force or digest(there) == known.files.get(path):
        return Change(path, "update", diff)
    return Change(path, "kept" if digest(wanted) == known.files.get(path) else "edited", diff)


def _deletions(out: Path, files: Mapping[str, str], known: Manifest) -> Iterator[Change]:
    """Files of an earlier build that this one does not have, if they are as detc wrote them."""
    for path, sum_ in sorted(known.files.items()):
        if path not in files and _inside(path) and not _behind_link(out, path) and _sum(out, path) == sum_:
            yield Change(path, "delete")


def _inside(path: str) -> bool:
    """Whether a path of a manifest, which anyone may have written, names a file of the build."""
    parts = PurePosixPath(path).parts
    plain = bool(parts) and not path.startswith("/") and "\\" not in path and ":" not in path and ".." not in parts
    return plain and parts[0] not in OWN_FOLDERS and path != manifest.NAME


def _behind_link(out: Path, path: str) -> bool:
    here = out
    for part in PurePosixPath(path).parts:
        here = here / part
        if here.is_symlink():
            return True
    return False


def _content(out: Path, path: str) -> bytes | None:
    """None where there is no such file; one that cannot be read counts as some other content, and so as edited."""
    try:
        return (out / path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return b"\0"


def _sum(out: Path, path: str) -> str:
    content = _content(out, path)
    return "" if content is None else digest(content)


def _diff(before: bytes, after: str, path: str) -> str:
    old = before.decode("utf-8", "replace").splitlines()
    lines = list(difflib.unified_diff(old, after.splitlines(), path, path, lineterm="", n=1))[2:]
    more = len(lines) - DIFF_LINES
    return "\n".join(lines[:DIFF_LINES] + ([f"... {more} more lines"] if more > 0 else []))


def _replace(out: Path, files: Mapping[str, str]) -> None:
    """All files beside their places first, then all renames: a full disk is found out before anything is replaced."""
    pairs: list[tuple[Path, Path]] = []
    try:
        for path, text in files.items():
            assert _inside(path) or path == manifest.NAME, path
            final = out / path
            final.parent.mkdir(parents=True, exist_ok=True)
            _clear_leftovers(final)
            temporary = final.with_name(f".{final.name}.{os.getpid()}.tmp")
            pairs.append((temporary, final))
            with open(temporary, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        for temporary, final in pairs:
            os.replace(temporary, final)
    finally:
        for temporary, _ in pairs:
            temporary.unlink(missing_ok=True)


def _clear_leftovers(final: Path) -> None:
    """Removes temporary files of builds that were killed: those whose process is gone."""
    for left in final.parent.glob(f".{final.name}.*.tmp"):
        number = left.name.split(".")[-2]
        if number.isdigit() and not alive(int(number)):
            left.unlink(missing_ok=True)


def alive(process: int) -> bool:
    """Whether a process of this number runs, as far as can be told."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def summary(changes: Sequence[Change]) -> str:
    """`3 to create, 1 to update, 1 edited by you, 9 unchanged`"""
    words = {
        "create": "to create", "update": "to update", "delete": "to delete",
        "edited": "edited by you, new version to .new", "kept": "edited by you, nothing new", "unchanged": "unchanged",
    }  # fmt: skip
    counts = [(sum(c.action == action for c in changes), word) for action, word in words.items()]
    return ", ".join(f"{count} {word}" for count, word in counts if count) or "nothing to write"

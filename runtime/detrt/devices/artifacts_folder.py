"""An artifacts folder of any device: put in place whole, and checked against its manifest when it is read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from detrt.devices.errors import ArtifactError

MANIFEST = "MANIFEST.json"
DESCRIPTION = "detector.json"
SCHEMA = 1
LARGEST_JSON = 1 << 20
MOST_FILES = 10_000


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_json(path: Path) -> Any:
    """A small JSON file. ArtifactError if it cannot be read, is larger than a megabyte, or is no JSON."""
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise ArtifactError(f"{path.stat().st_size:,} bytes are no description of a network", path)
        return json.loads(path.read_bytes())
    except OSError as error:
        raise ArtifactError(f"cannot be read: {error.strerror or error}", path) from error
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"not JSON: {error}", path) from error


def _seal(manifest: Mapping[str, Any]) -> str:
    """Hex digest of what a manifest says besides its seal, so that damage to itself shows too."""
    said = {key: value for key, value in manifest.items() if key != "seal"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below `folder`, by its path in it, sorted."""
    for path in sorted(folder.rglob("*")):
        if not path.is_dir():
            yield path.relative_to(folder).as_posix(), path


def write_folder(folder: Path, fill: Callable[[Path], None], about: Mapping[str, Any]) -> dict[str, Any]:
    """Lets `fill` write into a new folder beside `folder`, adds the manifest, and swaps it in; gives the manifest.

    Files in the old folder that are not the manifest's are carried over. On any error the old folder stays as it was.
    ArtifactError if `folder` exists and is not an artifacts folder, or for want of space or rights.
    """
    if folder.exists() and not folder.is_dir():
        raise ArtifactError("exists and is no folder", folder)
    old = _listed(folder)
    if folder.is_dir() and old is None and any(folder.iterdir()):
        raise ArtifactError("is not an artifacts folder and not empty", folder, "choose another folder")
    new = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        fill(new)
        files = {name: {"bytes": p.stat().st_size, "sha256": sha256(p)} for name, p in _files(new)}
        manifest = {"schema": SCHEMA, **about, "files": files}
        manifest["seal"] = _seal(manifest)
        (new / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        for _, path in _files(new):
            _sync(path)
        new.chmod(0o755)
        _swap(new, folder, old or set())
        return manifest
    except OSError as error:
        raise ArtifactError(f"cannot be written: {error.strerror or error}", folder) from error
    finally:
        if new is not None:
            shutil.rmtree(new, ignore_errors=True)


def _listed(folder: Path) -> set[str] | None:
    """Names that the manifest in `folder` accounts for, or None without one."""
    try:
        manifest = read_json(folder / MANIFEST)
    except ArtifactError:
        return None
    files = manifest.get("files") if isinstance(manifest, dict) else None
    return {MANIFEST, *files} if isinstance(files, dict) else None


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _swap(new: Path, folder: Path, old: set[str]) -> None:
    if not folder.exists():
        os.replace(new, folder)
        return
    for name, path in _files(folder):
        if name not in old and not (new / name).exists():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, new / name)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old."))
    try:
        os.replace(folder, aside)
        try:
            os.replace(new, folder)
        except OSError:
            os.replace(aside, folder)
            raise
    finally:
        if folder.exists():
            shutil.rmtree(aside, ignore_errors=True)


def check_manifest(folder: Path, needed: Sequence[str], device: str) -> dict[str, Any]:
    """The manifest of an artifacts folder, compared with every file. ArtifactError names one that differs or is missing.

    `needed` are the files without which it is none for `device`, as a reader calls it.
    """
    place = folder / MANIFEST
    if not folder.is_dir():
        raise ArtifactError("is no folder", folder)
    manifest: dict[str, Any] = read_json(place)
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if (
        not isinstance(files, dict)
        or len(files) > MOST_FILES
        or manifest.get("schema") != SCHEMA
        or any(name not in files for name in needed)
    ):
        raise ArtifactError(f"not a manifest of schema {SCHEMA} for {device}", place)
    if manifest.get("seal") != _seal(manifest):
        raise ArtifactError("was changed or damaged: its seal is another text's", place, "export again")
    for name, entry in files.items():
        if not _inside(name) or not isinstance(entry, dict):
            raise ArtifactError(f"lists {name!r}, which is no file of the folder", place)
        _check_file(folder / name, entry)
    return manifest


def _inside(name: str) -> bool:
    """True for the plain relative path of a file below the folder."""
    path = PurePosixPath(name)
    return path.as_posix() == name and not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _check_file(path: Path, entry: Mapping[str, Any]) -> None:
    if not path.is_file():
        raise ArtifactError("is missing, though the manifest lists it", path, "export again")
    if path.stat().st_size != entry.get("bytes"):
        raise ArtifactError(
            f"{path.stat().st_size:,} bytes, the manifest says {entry.get('bytes')}", path, "export again"
        )
    if sha256(path) != entry.get("sha256"):
        raise ArtifactError("its sha256 is not the manifest's: the file was changed or damaged", path, "export again")


def read_description(folder: Path) -> dict[str, Any]:
    """detector.json of an artifacts folder. ArtifactError if it is none of this schema."""
    place = folder / DESCRIPTION
    about = read_json(place)
    if not isinstance(about, dict) or about.get("schema") != SCHEMA:
        raise ArtifactError(f"not a detector of schema {SCHEMA}", place)
    return about


def said(description: Mapping[str, Any], key: str, kind: type, place: Path) -> Any:
    """A value of detector.json. ArtifactError if it is missing or of another kind."""
    value = description.get(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ArtifactError(f"`{key}` is missing or no {kind.__name__}", place)
    return value


def said_classes(description: Mapping[str, Any], place: Path) -> tuple[str, ...]:
    """The class names of detector.json. ArtifactError if they are none."""
    classes = said(description, "classes", list, place)
    if not all(isinstance(name, str) for name in classes):
        raise ArtifactError("`classes` must be names", place)
    return tuple(classes)

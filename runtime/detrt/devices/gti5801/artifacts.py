"""The artifacts folder: put in place whole, checked against its manifest, and run from the bytes of its chip.dat."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.devices.gti5801.chipdat import decode
from detrt.devices.gti5801.errors import ArtifactError, DeviceError
from detrt.devices.gti5801.kit import read_json
from detrt.devices.gti5801.outmodel import split
from detrt.devices.gti5801.simulator import FC77_GAIN, Simulator, Trace

MANIFEST = "MANIFEST.json"
DESCRIPTION = "detector.json"
SCHEMA = 1


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _seal(manifest: Mapping[str, Any]) -> str:
    """Hex digest of what a manifest says besides its seal, so that damage to itself shows too."""
    said = {key: value for key, value in manifest.items() if key != "seal"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


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
        files = {p.name: {"bytes": p.stat().st_size, "sha256": sha256(p)} for p in sorted(new.iterdir())}
        manifest = {"schema": SCHEMA, **about, "files": files}
        manifest["seal"] = _seal(manifest)
        (new / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        for path in new.iterdir():
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
    for path in folder.iterdir():
        if path.name not in old and not (new / path.name).exists():
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, new / path.name)
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


@dataclass(frozen=True, slots=True)
class ArtifactModel:
    """A detector as it is on the device: whole-number arithmetic of its chip.dat, then the scale of its output.

    `order` is how pictures must be laid out (bgr or ycrcb), `size` their side in pixels; `head` has `kind` and `options` as in
    the lock, `classes` the class names, `scale` the value of one output step, `channels` how many outputs the head reads.
    """

    name: str
    size: int
    order: str
    classes: tuple[str, ...]
    head: Mapping[str, Any]
    scale: float
    channels: int
    description: Mapping[str, Any]
    manifest: Mapping[str, Any]
    simulator: Simulator

    def predict(self, image: npt.NDArray[np.uint8], trace: Trace | None = None) -> npt.NDArray[np.float32]:
        """The head's raw grid, float32 [channels, S, S], of one picture u8 [size, size, C] in `order`.

        Equal, bit for bit, to the chip-stage torch model times its output scale. DeviceError for another shape or dtype.
        """
        image = np.asarray(image)
        if image.ndim != 3:
            raise DeviceError(f"a picture is u8 [height, width, channels], not {image.dtype}{list(image.shape)}")
        answer = self.simulator.run(np.ascontiguousarray(image.transpose(2, 0, 1)), trace)[: self.channels]
        last = self.simulator.network.majors[-1].shape
        if last.pooling and last.output_size == 7:
            answer = answer / np.float32(FC77_GAIN)
        return answer * np.float32(self.scale)


def _text(description: Mapping[str, Any], key: str, kind: type, place: Path) -> Any:
    value = description.get(key)
    if not isinstance(value, kind):
        raise ArtifactError(f"`{key}` is missing or no {kind.__name__}", place)
    return value


def check_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an artifacts folder, compared with every file. ArtifactError names one that differs or is missing."""
    place = folder / MANIFEST
    if not folder.is_dir():
        raise ArtifactError("is no folder", folder)
    manifest: dict[str, Any] = read_json(place)
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if (
        not isinstance(files, dict)
        or manifest.get("schema") != SCHEMA
        or "chip.dat" not in files
        or DESCRIPTION not in files
    ):
        raise ArtifactError(f"not a manifest of schema {SCHEMA} for the 5801", place)
    if manifest.get("seal") != _seal(manifest):
        raise ArtifactError("was changed or damaged: its seal is another text's", place, "export again")
    for name, entry in files.items():
        path = folder / name
        if Path(name).name != name or not isinstance(entry, dict):
            raise ArtifactError(f"lists {name!r}, which is no file of the folder", place)
        if not path.is_file():
            raise ArtifactError("is missing, though the manifest lists it", path, "export again")
        if path.stat().st_size != entry.get("bytes"):
            raise ArtifactError(
                f"{path.stat().st_size:,} bytes, the manifest says {entry.get('bytes')}", path, "export again"
            )
        if sha256(path) != entry.get("sha256"):
            raise ArtifactError(
                "its sha256 is not the manifest's: the file was changed or damaged", path, "export again"
            )
    return manifest


def load_artifacts(folder: str | Path) -> ArtifactModel:
    """The detector in an artifacts folder, ready to run. Needs neither spec nor torch.

    ArtifactError, naming file and cause, if a file is missing, truncated or differs from the manifest, or if chip.dat and
    out.model do not hold the same network.
    """
    folder = Path(folder)
    manifest = check_manifest(folder)
    place = folder / DESCRIPTION
    about = read_json(place)
    if not isinstance(about, dict) or about.get("schema") != SCHEMA:
        raise ArtifactError(f"not a detector of schema {SCHEMA}", place)
    data = (folder / "chip.dat").read_bytes()
    network = decode(data, str(folder / "chip.dat"))
    if (folder / "out.model").is_file():
        _, inner = split((folder / "out.model").read_bytes(), str(folder / "out.model"))
        if inner != data:
            raise ArtifactError("holds another chip.dat than the one beside it", folder / "out.model", "export again")
    scale, channels = _text(about, "scale", float, place), _text(about, "channels", int, place)
    classes = _text(about, "classes", list, place)
    if not (math.isfinite(scale) and scale > 0 and 0 < channels <= network.output_shape[0]):
        raise ArtifactError(f"scale {scale} or channels {channels} are out of range", place)
    if not all(isinstance(name, str) for name in classes):
        raise ArtifactError("`classes` must be names", place)
    return ArtifactModel(
        name=_text(about, "name", str, place),
        size=network.input_shape[1],
        order=_text(about, "order", str, place),
        classes=tuple(classes),
        head=_text(about, "head", dict, place),
        scale=scale,
        channels=channels,
        description=about,
        manifest=manifest,
        simulator=Simulator(network),
    )

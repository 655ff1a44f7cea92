"""Reading .npz files that strangers send: each array's header is checked before a byte of it is unpacked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from detrt.devices.errors import ArtifactError

Shape = tuple[int, ...]


def _header(stream: IO[bytes], key: str, path: Path) -> tuple[Shape, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ArtifactError(f"`{key}` has an unknown .npy version {version}", path)
    return shape, dtype


def read_arrays(path: Path, wanted: Mapping[str, tuple[Shape, ...]]) -> dict[str, npt.NDArray[Any]]:
    """The arrays named in `wanted`, each in one of the shapes given there and of a real number type.

    Never unpickles, and reads no array whose header says something else, so memory stays bounded by what was asked for.
    ArtifactError names the key that is missing, of another shape or type, or damaged.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    key = ""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            for key, shapes in wanted.items():
                if f"{key}.npy" not in names:
                    raise ArtifactError(f"`{key}` is missing", path)
                with archive.open(f"{key}.npy") as stream:
                    shape, dtype = _header(stream, key, path)
                if dtype.kind not in "fiu" or dtype.itemsize > 8:
                    raise ArtifactError(f"`{key}` holds {dtype}, not numbers", path)
                if shape not in shapes:
                    raise ArtifactError(f"`{key}` has the shape {shape}, expected {shapes[0]}", path)
                with archive.open(f"{key}.npy") as stream:
                    arrays[key] = np.lib.format.read_array(stream, allow_pickle=False)
    except OSError as error:
        raise ArtifactError(f"cannot be read: {error.strerror or error}", path) from error
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, RuntimeError, NotImplementedError) as error:
        raise ArtifactError(f"damaged or not an .npz file{f', at `{key}`' if key else ''}: {error}", path) from error
    return arrays

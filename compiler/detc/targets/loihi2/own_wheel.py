"""An installed package as a wheel again, to install it elsewhere without an index (format: PEP 427)."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from importlib.metadata import distribution
from pathlib import Path, PurePosixPath

OF_THE_INSTALLATION = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json")
"""Files that an installer adds to a wheel's."""


def wheel_of_installation(name: str, folder: Path) -> Path:
    """Writes the pure Python package `name`, as it is installed in this Python, to a wheel in `folder`."""
    installed = distribution(name)
    wheel = folder / f"{name}-{installed.version}-py3-none-any.whl"
    rows: list[tuple[str, str, int | str]] = []
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        info = ""
        for file in sorted(installed.files or ()):
            if not _belongs(PurePosixPath(file)):
                continue
            content = Path(str(file.locate())).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            archive.writestr(file.as_posix(), content)
            rows.append((file.as_posix(), f"sha256={digest}", len(content)))
            if file.name == "METADATA":
                info = file.parent.as_posix()
        record = io.StringIO()
        csv.writer(record, lineterminator="\n").writerows([*rows, (f"{info}/RECORD", "", "")])
        archive.writestr(f"{info}/RECORD", record.getvalue())
    return wheel


def _belongs(path: PurePosixPath) -> bool:
    """Whether a file of an installation was in its wheel: no script, no compiled module, nothing of the installer's."""
    inside = not path.is_absolute() and ".." not in path.parts and "__pycache__" not in path.parts
    return inside and not (path.parent.name.endswith(".dist-info") and path.name in OF_THE_INSTALLATION)

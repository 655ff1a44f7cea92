"""The folder that a relative data root starts from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detrt.errors import DetrtError


def base_of(raw: dict[str, Any], name: str, bases: Sequence[Path]) -> Path:
    """The first folder below which the data root exists; `raw` is changed to `.` if one of `bases` is the data set
    itself.
    """
    root = Path(str(raw.get("root") or ".")).expanduser()
    if raw.get("format") == "synthetic" or root.is_absolute():
        return bases[0]
    for base in bases:
        if (base / root).is_dir():
            return base
    if len(bases) == 1 and _is_data_set(bases[0], raw):
        raw["root"] = "."
        return bases[0]
    tried = ", ".join(dict.fromkeys(str((base / root).resolve()) for base in bases))
    raise DetrtError(
        f"the data set `{name}` is not there: `{root}` was looked for as {tried}",
        f"data.{name}.root",
        f"--data-root FOLDER, or --set data.{name}.root=FOLDER",
    )


def _is_data_set(folder: Path, raw: dict[str, Any]) -> bool:
    """True if the training split's files are right in `folder`."""
    where = raw.get("train")
    if not isinstance(where, dict):
        return False
    form = raw.get("format")
    if form == "voc":
        lists = where.get("split") if isinstance(where.get("split"), list) else [where.get("split")]
        years = [str(entry or "").rpartition("/")[0] for entry in lists or [None]]
        return all((folder / year / str(where.get("annotations") or "Annotations")).is_dir() for year in years)
    keys = {"yolo": "images", "gnetdet": "list", "video": "videos"}
    named = where.get(keys.get(str(form), "annotations" if where.get("annotations") else "folder"))
    return all(
        isinstance(name, str) and (folder / name).exists() for name in (named if isinstance(named, list) else [named])
    )

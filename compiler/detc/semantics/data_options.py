"""From the keys of a data block to what the lock says of it: for each split, the files that its reader opens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detc.semantics.schema.data import SPLITS

_ELSEWHERE = ("root", "classes", "classes_file", "validation_split", *SPLITS)
_IN_SPLITS = {
    "coco": ("annotations",),
    "bdd100k": ("images", "annotations"),
    "bdd100k_track": ("images", "track"),
    "gnetdet": ("images",),
    "synthetic": ("seed",),
}
"""Keys that say where the files of every split are, or how each is made."""


def resolved(format: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The options as the lock has them, from the value of every key of the format."""
    moved = {*_ELSEWHERE, *_IN_SPLITS.get(format, ())} | ({"seed"} if "validation_split" in values else set())
    moved |= {"quantization_split"} if values.get("quantization_split") is None else set()
    videos = _videos(format, values)
    moved |= {"steps", "frames"} if videos is None else set()
    splits = {name: None if values[name] is None else _split(format, values[name], values) for name in SPLITS}
    if values.get("validation_split") is not None:
        splits["val"] = {"of": "train", "share": values["validation_split"], "seed": values["seed"]}
    return {
        "root": values.get("root"),
        "classes": values.get("classes"),
        "classes_file": values.get("classes_file"),
        **splits,
        "options": {name: value for name, value in values.items() if name not in moved} | (videos or {}),
    }


def _videos(format: str, values: Mapping[str, Any]) -> dict[str, int] | None:
    """Frames of a clip and of a video that the synthetic set draws; empty for other formats, None for single pictures."""
    if format != "synthetic":
        return {}
    steps, frames = values["steps"], values["frames"]
    return None if steps is None and frames is None else {"steps": steps or frames, "frames": frames or steps}


def paths(value: Any) -> list[str]:
    """All paths that the value of a split names."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [path for key, part in value.items() if key != "name" for path in paths(part)]
    return [path for part in value for path in paths(part)] if isinstance(value, list) else []


def _split(format: str, value: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: part for key, part in value.items() if key != "name"} if isinstance(value, Mapping) else None
    if format == "voc":
        if given is None:
            return {"split": value, "images": "JPEGImages", "annotations": "Annotations"}
        return {"split": given["list"], "images": given["images"], "annotations": given["annotations"]}
    if given is not None:
        return given
    if format == "coco":
        return {"images": value, "annotations": values["annotations"].replace("{split}", value)}
    if format == "yolo":
        return {"images": value, "labels": None}
    if format == "gnetdet":
        return {"list": value, "images": values["images"]}
    if format == "bdd100k":
        return {key: values[key].replace("{split}", value) for key in ("images", "annotations")}
    if format == "bdd100k_track":
        images = values["images"].replace("{split}", value)
        return {"images": images, "annotations": f"labels/{values['track']}/{value}"}
    if format == "synthetic":
        frames = (_videos(format, values) or {"frames": 1})["frames"]  # whole videos: the default counts know of none
        return {"images": max(1, round(value / frames)) * frames, "seed": values["seed"]}
    return {"videos": value} if format == "video" else {"folder": value}

"""MANIFEST.json of a build folder: what detc wrote there, so that it knows a changed file from its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAME = "MANIFEST.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """`files` are sha256 sums by path of what detc last made of each file, `offered` those of NAME.new beside edited ones.

    `facts` says what it was made from: the spec and its hash, tools, seeds. No time stamps: two builds are equal."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    offered: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        value = {"schema": SCHEMA, **self.facts, "files": dict(self.files)}
        if self.offered:
            value["offered"] = dict(self.offered)
        return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=True) + "\n"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def facts_of(lock: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest says of the lock it was built from."""
    return {
        "spec": {key: lock["spec"][key] for key in ("name", "file", "sha256", "params", "overrides")},
        "target": lock["target"]["name"] if lock["target"] else None,
        "tools": {"detc": lock["detc"], "lock": lock["schema"]},
        "seeds": {stage["id"]: stage.get("seed") for stage in lock["stages"]},
    }


def read(folder: Path) -> Manifest:
    """The folder's manifest; an empty one where there is none that reads, so that every file counts as the user's."""
    try:
        value = json.loads((folder / NAME).read_bytes())
    except (OSError, ValueError, RecursionError):
        return Manifest()
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        return Manifest()
    return Manifest(files=_sums(value.get("files")), offered=_sums(value.get("offered")))


def _sums(value: Any) -> dict[str, str]:
    items = value.items() if isinstance(value, dict) else ()
    return {str(path): str(sum_) for path, sum_ in items}

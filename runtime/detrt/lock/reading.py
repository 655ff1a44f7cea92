"""From a file or a JSON value to a lock, or to a LockError with the key at fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from detrt.lock.lock import Lock
from detrt.lock.part import SCHEMA, LockError
from detrt.lock.stage import earlier_stages


def read_lock(path: Path) -> Lock:
    """The lock at `path`. Raises LockError, with the key at fault, for anything that is not a lock of schema 1."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise LockError(f"{path} does not exist", remedy="run `detc build SPEC` to write it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"{path} cannot be read: {error}") from None
    try:
        raw = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise LockError(f"{path} is not JSON: {error}", remedy="run `detc build SPEC` to write it again") from None
    return parse_lock(raw, str(path))


def parse_lock(raw: Any, name: str = "spec.lock.json") -> Lock:
    """A lock from its JSON value; `name` is used in messages."""
    if not isinstance(raw, dict):
        raise LockError(f"{name} holds {type(raw).__name__}, not an object")
    schema = raw.get("schema")
    if schema != SCHEMA or isinstance(schema, bool):
        found = "has no schema number" if schema is None else f"has schema {schema!r}"
        raise LockError(
            f"{name} {found}; this detrt reads schema {SCHEMA}", remedy="build again with the detc of this package"
        )
    try:
        lock = Lock.model_validate({**raw, "raw": raw})
    except ValidationError as error:
        lines = [
            f"  {_path(item['loc'])}: {item['msg']}" for item in error.errors(include_url=False, include_context=False)
        ]
        raise LockError(f"{name} is not a valid lock:\n" + "\n".join(lines)) from None
    _check_references(lock, name)
    return lock


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _check_references(lock: Lock, name: str) -> None:
    """Stages name models, data and earlier stages that exist."""
    seen: set[str] = set()
    for number, stage in enumerate(lock.stages):
        where = f"stages[{number}] ({stage.id})"
        if stage.id in seen:
            raise LockError(f"{name}: {where} has the id of an earlier stage")
        if stage.model != lock.model.name and stage.model not in lock.models:
            raise LockError(f"{name}: {where} trains the unknown model {stage.model!r}")
        if stage.data not in lock.data:
            raise LockError(f"{name}: {where} reads the unknown data {stage.data!r}")
        for other in earlier_stages(stage):
            if other not in seen:
                raise LockError(f"{name}: {where} needs {other!r}, which is no earlier stage")
        seen.add(stage.id)

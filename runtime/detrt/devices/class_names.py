"""The names of the classes that an exported detector finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def class_names(lock: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """The head's names; else those of the data it was trained on, if there are as many; else numbers. `options` are the
    head's in the lock.
    """
    if options.get("names"):
        return [str(name) for name in options["names"]]
    count = int(options.get("classes", 0))
    for stage in reversed(lock.get("stages") or []):
        names = (lock.get("data") or {}).get(stage.get("data"), {}).get("classes") or []
        if len(names) == count:
            return [str(name) for name in names]
    return [f"class {number}" for number in range(count)]

"""A data set of the lock. What stands in it is read by detrt.data, by format."""

from __future__ import annotations

from typing import Any

from detrt.lock.part import Part


class Data(Part):
    format: str
    root: str | None = None
    classes: list[str] | None = None
    train: Any = None
    val: Any = None
    test: Any = None
    options: dict[str, Any] = {}

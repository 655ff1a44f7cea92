"""The spec in the making: what the settings say, section by section, as text of the language."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from detc.importers.st_yaml.models import Known


class NotTaken(Exception):
    """Why a setting has no place in the spec: completes "`training.dropout`: ..."."""


@dataclass(slots=True)
class Draft:
    """`params` replace defaults of the library spec, `camera` the options of its input, `head` options of its head; the rest
    becomes new blocks. `augment` is in the order in which steps are done.
    """

    known: Known
    params: dict[str, str] = field(default_factory=dict)
    camera: dict[str, str] = field(default_factory=dict)
    head: dict[str, str] = field(default_factory=dict)
    format: str = ""
    data: dict[str, str] = field(default_factory=dict)
    splits: dict[str, dict[str, str]] = field(default_factory=dict)
    optimizer: str = ""
    optimizer_args: dict[str, str] = field(default_factory=dict)
    schedule: str = ""
    schedule_args: dict[str, str] = field(default_factory=dict)
    stage: dict[str, str] = field(default_factory=dict)
    augment: dict[str, dict[str, str]] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    """Options that stand on the command line instead."""

    def step(self, name: str, **args: str) -> None:
        """Adds arguments to an augmentation."""
        self.augment.setdefault(name, {}).update(args)


def text(value: Any) -> str:
    """A string in quotes as the language writes it. Raises NotTaken for what is no plain text."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise NotTaken(f"expected text, found {value!r}")
    word = str(value)
    if len(word) > 500 or not word.isprintable():
        raise NotTaken("the text is too long or not printable")
    return json.dumps(word, ensure_ascii=False)


def texts(value: Any) -> str:
    """A list of strings."""
    if not isinstance(value, list) or not value:
        raise NotTaken(f"expected a list, found {value!r}")
    return "[" + ", ".join(text(item) for item in value) + "]"


def number(value: Any, low: float = -math.inf, high: float = math.inf) -> str:
    """A number within bounds, shortest form."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise NotTaken(f"expected a number, found {value!r}")
    if not low <= value <= high:
        raise NotTaken(f"{value:g} is not within {low:g} .. {high:g}")
    return str(value) if isinstance(value, int) else f"{value:.10g}"


def whole(value: Any, low: int = 0, high: int = 10**9) -> str:
    """A whole number within bounds."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise NotTaken(f"expected a whole number, found {value!r}")
    return number(value, low, high)


def epochs(value: Any, low: int = 0) -> str:
    return f"{whole(value, low)} epochs"


def span(value: Any) -> str:
    """Two numbers as a range."""
    if not isinstance(value, list) or len(value) != 2:
        raise NotTaken(f"expected two numbers, found {value!r}")
    low, high = (number(item) for item in value)
    return f"{low} .. {high}"


def switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise NotTaken(f"expected True or False, found {value!r}")
    return value

"""`--over NAME=[a, b, c]`: the axes of a grid and its points."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

MOST_POINTS = 1000
"""A grid beyond this is a slip of the keyboard."""

_OPENING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Axis:
    """One value of the spec and the texts it takes, each as it would stand after `--set NAME=`."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One run of the grid: `settings` in the order of the axes."""

    number: int
    settings: tuple[tuple[str, str], ...]

    @property
    def sets(self) -> dict[str, str]:
        return dict(self.settings)

    @property
    def folder(self) -> str:
        """A name that sorts as the points do and says what is in it: letters, digits, `.`, `_`, `=`, `,` and `-` only."""
        parts = [f"{name.rpartition('.')[2]}={value}" for name, value in self.settings]
        plain = re.sub(r"[^A-Za-z0-9._=,-]+", "-", ",".join(parts)).strip("-.")
        return f"{self.number:03}-{plain[:80]}"


def read_axis(text: str) -> Axis | str:
    """The axis of `NAME=[a, b]`, or a sentence that says what is wrong with it."""
    name, equals, rest = text.partition("=")
    name, rest = name.strip(), rest.strip()
    if not equals or not name or rest[:1] != "[" or rest[-1:] != "]":
        return f"`{text}` is no NAME=[a, b, ..]"
    values = tuple(value.strip() for value in split(rest[1:-1]))
    if not all(values):
        return f"`{text}` has an empty value"
    if len(set(values)) < len(values):
        return f"`{text}` names a value twice"
    return Axis(name, values)


def split(text: str) -> Iterator[str]:
    """The parts between commas that stand in no brackets and no quotes."""
    part, waiting, quote = "", [], ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in _OPENING:
            waiting.append(_OPENING[char])
        elif waiting and char == waiting[-1]:
            waiting.pop()
        elif char == "," and not waiting:
            yield part
            part = ""
            continue
        part += char
    yield part


def points_of(axes: Sequence[Axis]) -> list[Point] | str:
    """Every combination, the last axis fastest; or a sentence where that is no grid."""
    names = [axis.name for axis in axes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        return f"two axes change `{twice}`"
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > MOST_POINTS:
        return f"the grid has {count:,} points; at most {MOST_POINTS:,} are run"
    grid = product(*([(axis.name, value) for value in axis.values] for axis in axes))
    return [Point(number, settings) for number, settings in enumerate(grid)]

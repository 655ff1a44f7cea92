"""Values as they are written behind `--set NAME=`: numbers with units, names, lists, calls such as `cosine(warmup = 3)`, ranges.

The same spelling as in a `.det` file. The result is plain JSON data; a call becomes `{"name": "cosine", "warmup": 3}`.
"""

from __future__ import annotations

import re
from typing import Any

from detrt.errors import DetrtError

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>[-+]?(?:\d+\.(?!\.)\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?)
    |(?P<string>"(?:[^"\\]|\\.)*"|'[^']*')
    |(?P<range>\.\.)
    |(?P<name>[^\W\d][\w./~-]*)
    |(?P<mark>[\[\](),=%])
    )""",
    re.VERBOSE,
)
_WORDS: dict[str, Any] = {"true": True, "false": False, "none": None, "null": None}
_UNITS = {"%": 0.01, "points": 0.01}
_FIRST = {"augment": "p", "multiscale": "range"}
"""What a call's positional argument means, by the key that holds the call."""


def parse_value(text: str, key: str = "") -> Any:
    """The JSON value that `text` spells; text that spells nothing else is a string. Raises DetrtError for unbalanced brackets."""
    tokens: list[tuple[str, str]] = []
    position = 0
    stripped = text.strip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None or match.lastgroup is None:
            return stripped
        tokens.append((match.lastgroup, match.group(match.lastgroup)))
        position = match.end()
    if not tokens:
        return ""
    reader = _Reader(tokens, text, _FIRST.get(key, "value"))
    value = reader.value()
    if reader.rest:
        if any(kind == "mark" and mark in "[]()" for kind, mark in tokens):
            raise DetrtError(f"cannot read the value `{text}`")
        return stripped
    return value


class _Reader:
    """A reader of one value by recursive descent, at most 20 brackets deep."""

    def __init__(self, tokens: list[tuple[str, str]], text: str, first: str) -> None:
        self.rest = list(reversed(tokens))
        self.text = text
        self.first = first
        self.depth = 0

    def take(self, mark: str) -> bool:
        if self.rest and self.rest[-1] == ("mark", mark):
            self.rest.pop()
            return True
        return False

    def value(self) -> Any:
        left = self.single()
        if self.rest and self.rest[-1][0] == "range":
            self.rest.pop()
            return [left, self.single()]
        return left

    def single(self) -> Any:
        if not self.rest:
            raise DetrtError(f"`{self.text}` ends too early")
        kind, text = self.rest.pop()
        if kind == "number":
            return self.with_unit(text)
        if kind == "string":
            return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        if kind == "name":
            return self.call(text) if self.take("(") else _WORDS.get(text, text)
        if text == "[":
            return [item for _, item in self.items("]")]
        raise DetrtError(f"cannot read the value `{self.text}`: unexpected `{text}`")

    def with_unit(self, text: str) -> int | float:
        number = float(text) if any(mark in text for mark in ".eE") else int(text)
        if self.take("%"):
            return number * 0.01
        if self.rest and self.rest[-1][0] == "name" and "=" not in {mark for _, mark in self.rest[-2:-1]}:
            return number * _UNITS.get(self.rest.pop()[1], 1)
        return number

    def call(self, name: str) -> dict[str, Any]:
        result: dict[str, Any] = {"name": name}
        for key, item in self.items(")"):
            result[key or self.positional(name, item)] = item
        return result

    def positional(self, name: str, item: Any) -> str:
        """What an argument without a name means: of an augmentation a range is its first one, a number its probability."""
        if self.first != "p" or not isinstance(item, list):
            return self.first
        from detrt.data.augment.options import KNOWN

        return next(iter(KNOWN.get(name) or ["range"]))

    def items(self, close: str) -> list[tuple[str, Any]]:
        self.depth += 1
        if self.depth > 20:
            raise DetrtError(f"`{self.text[:40]}...` is nested too deeply")
        found: list[tuple[str, Any]] = []
        while not self.take(close):
            key = ""
            if len(self.rest) > 1 and self.rest[-1][0] == "name" and self.rest[-2] == ("mark", "="):
                key = self.rest.pop()[1]
                self.rest.pop()
            found.append((key, self.value()))
            if not self.take(",") and (not self.rest or self.rest[-1] != ("mark", close)):
                raise DetrtError(f"`{self.text}` lacks `{close}`")
        self.depth -= 1
        return found

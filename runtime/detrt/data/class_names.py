"""What the numbers of label files mean: one name a line, or the `names` of a data.yaml."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from detrt.data.root import printable, read_label_text, require_beneath
from detrt.errors import DetrtError

_MOST = 100_000
_ITEM = re.compile(r"(?:-\s+|(\d{1,6})\s*:\s*)(.+)$")
_WORD = re.compile(
    r"""\s*((?:\d{1,6}\s*:\s*)?(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"',\]}][^,\]}]*))\s*(?:,|(?=[\]}]))"""
)
"""One entry of a list in brackets, with its number if it has one, up to its comma or the bracket."""


def read_names(root: Path, file: str) -> dict[int, str]:
    """Names by number, of a `.yaml` (only its key `names`, as a list or by number) or of a text file with one name a
    line. Raises DetrtError where there are none.
    """
    path = require_beneath(root, file, "the file of class names")
    text = read_label_text(path, "file of class names")
    if path.suffix.lower() in (".yaml", ".yml"):
        names = _of_yaml(text, path)
    else:
        names = dict(enumerate(line.strip() for line in text.splitlines() if line.strip()))
    names = {number: printable(name) for number, name in names.items()}
    if not names or len(names) > _MOST:
        raise DetrtError(f"it names {len(names)} classes", path)
    twice, times = Counter(names.values()).most_common(1)[0]
    if times > 1:
        raise DetrtError(f"class `{twice}` is listed twice", path)
    return names


def _of_yaml(text: str, path: Path) -> dict[int, str]:
    """`names: [a, b]`, or below `names:` lines of `- a` or of `0: a`. Nothing else of YAML is read."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    at = next((number for number, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if at is None:
        raise DetrtError("it has no key `names`", path)
    first = lines[at].partition(":")[2].strip()
    if first:
        return _of_brackets(" ".join([first, *lines[at + 1 :]]), path)
    names: dict[int, str] = {}
    for line in lines[at + 1 :]:
        item = _ITEM.match(line.strip())
        if item is None:
            break
        names[int(item.group(1)) if item.group(1) else len(names)] = _plain(item.group(2))
    return names


def _of_brackets(text: str, path: Path) -> dict[int, str]:
    """`[a, b]` or `{0: a, 1: b}`, where quotes may hold commas and brackets."""
    words, place = [], 1
    while word := _WORD.match(text, place):
        words.append(word.group(1))
        place = word.end()
    if text[0] not in "[{" or text[place:].lstrip()[:1] != ("]" if text[0] == "[" else "}"):
        raise DetrtError("`names` is no list", path)
    if text[0] == "[":
        return {number: _plain(word) for number, word in enumerate(words)}
    pairs = [item for word in words if (item := _ITEM.match(word))]
    return {int(item.group(1)): _plain(item.group(2)) for item in pairs if item.group(1)}


def _plain(word: str) -> str:
    """Without quotes, or without the comment behind it."""
    word = word.strip()
    if word[:1] == '"':
        try:
            return str(json.JSONDecoder().raw_decode(word)[0])
        except ValueError:
            return word.strip('"')
    if quoted := re.match(r"'((?:[^']|'')*)'", word):
        return quoted[1].replace("''", "'")
    return word.split(" #")[0].strip()

"""What the numbers of label files mean: one name a line, or the `names` of a data.yaml."""

from __future__ import annotations

import json
import re
from pathlib import Path

from detrt.data.root import read_label_text, require_beneath
from detrt.errors import DetrtError

_MOST = 100_000
_ITEM = re.compile(r"^\s*(?:-\s+|(\d{1,6})\s*:\s*)(.+?)\s*$")


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
    if not names or len(names) > _MOST:
        raise DetrtError(f"it names {len(names)} classes", path)
    twice = next((name for name in names.values() if list(names.values()).count(name) > 1), None)
    if twice is not None:
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
        listed = first + " ".join(lines[at + 1 :])
        inside = re.match(r"[\[{]([^\]}]*)[\]}]", listed)
        if inside is None:
            raise DetrtError("`names` is no list", path)
        words = [word.strip() for word in inside.group(1).split(",") if word.strip()]
        if first[0] == "[":
            return {number: _plain(word) for number, word in enumerate(words)}
        pairs = [word.partition(":") for word in words]
        return {int(number): _plain(name) for number, _, name in pairs if number.strip().isdecimal()}
    names: dict[int, str] = {}
    for line in lines[at + 1 :]:
        item = _ITEM.match(line)
        if item is None:
            break
        names[int(item.group(1)) if item.group(1) else len(names)] = _plain(item.group(2))
    return names


def _plain(word: str) -> str:
    """Without quotes, or without the comment behind it."""
    word = word.strip()
    if word[:1] == '"':
        try:
            return str(json.JSONDecoder().raw_decode(word)[0])
        except ValueError:
            return word.strip('"')
    if word[:1] == "'":
        return word[1:].split("'")[0]
    return word.split(" #")[0].strip()

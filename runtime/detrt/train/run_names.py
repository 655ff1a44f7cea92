"""What a run's folder is called: a plain name, or a pattern such as `{spec}-{time}`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

PLACES = ("spec", "date", "time", "number")
"""What may stand in braces: the spec's name, 2026-01-31, 2026-01-31-235959, and the next free number."""
_PLACE = re.compile(r"\{([^{}]*)\}")
_KINDS = {"date": r"\d{4}-\d\d-\d\d", "time": r"\d{4}-\d\d-\d\d-\d{6}", "number": r"\d+"}


def problem_of(pattern: str) -> str | None:
    """Why a pattern names no folder, None if it does."""
    if not pattern or len(pattern) > 120 or pattern.startswith(".") or any(c in pattern for c in "/\\\0\n"):
        return "expected one name of a folder, without slashes or a dot in front"
    unknown = [place for place in _PLACE.findall(pattern) if place not in PLACES]
    if unknown or "{" in _PLACE.sub("", pattern) or "}" in _PLACE.sub("", pattern):
        return f"in braces stand {', '.join(f'{{{place}}}' for place in PLACES)}"
    return None


def is_pattern(name: str) -> bool:
    return "{" in name


def expanded(pattern: str, spec: str, now: datetime, runs: Sequence[str]) -> str:
    """The name of a new run; `runs` are those that are there."""
    numbers = [
        int(found[1]) for run in runs if (found := re.fullmatch(_matching(pattern, spec), run)) and found.groups()
    ]
    values = {
        "spec": plain(spec),
        "date": f"{now:%Y-%m-%d}",
        "time": f"{now:%Y-%m-%d-%H%M%S}",
        "number": str(1 + max(numbers, default=0)),
    }
    return _PLACE.sub(lambda place: values[place[1]], pattern)


def matching(pattern: str, spec: str, runs: Sequence[str]) -> list[str]:
    """The runs that the pattern may have named."""
    return [run for run in runs if re.fullmatch(_matching(pattern, spec), run)]


def plain(name: str) -> str:
    """A spec's name as part of a folder's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "run"


def _matching(pattern: str, spec: str) -> str:
    """A regular expression for the names; its only group is the number."""
    parts = _PLACE.split(pattern)
    names = [
        re.escape(plain(spec)) if p == "spec" else f"({_KINDS[p]})" if p == "number" else _KINDS[p] for p in parts[1::2]
    ]
    texts = [re.escape(text) for text in parts[::2]]
    return "".join(part for pair in zip(texts, [*names, ""], strict=True) for part in pair)

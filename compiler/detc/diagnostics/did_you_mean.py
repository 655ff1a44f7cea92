"""The candidate a mistyped word most likely meant."""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST = 64


def closest(word: str, candidates: Iterable[str], most: int | None = None) -> str | None:
    """The nearest candidate, or None if none is near. Case and `-` for `_` cost almost nothing; one slip in three letters
    is near. Ties go to the candidate with the same first letter, then the same length, then to the first of the
    alphabet. With `most`, no more slips than that are near."""
    if not 0 < len(word) <= _LONGEST:
        return None
    folded = _fold(word)
    best: tuple[float, bool, int, str] | None = None
    for candidate in candidates:
        if not candidate or candidate == word or abs(len(candidate) - len(word)) > _slips(candidate):
            continue
        near = _fold(candidate)
        distance = 0.5 if near == folded else float(_distance(folded, near))
        if most is not None and distance > most:
            continue
        rank = (distance, near[0] != folded[0], abs(len(candidate) - len(word)), candidate)
        if distance <= _slips(candidate) and (best is None or rank < best):
            best = rank
    return best[-1] if best else None


def _fold(word: str) -> str:
    return word.casefold().replace("-", "_") or " "


def _slips(candidate: str) -> int:
    return max(1, (len(candidate) + 1) // 3)


def _distance(a: str, b: str) -> int:
    """Optimal string alignment: insertions, deletions, changes and swaps of neighbours cost 1 each."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]

"""Columns: the `=` of neighbouring items, the items of one-line bodies under each other, and the comments behind lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from detc.syntax.layout import WIDTH, Line

_MOST_PADDING = 24
_MOST_COMMENT_PADDING = 40


def aligned(lines: list[Line]) -> list[str]:
    """The text of all lines, an empty one where a line asks for it."""
    for run in _runs(lines, _shape):
        _align(run)
    for run in _runs(lines, lambda line: line.pieces[-1].kind in ("COMMENT", "DOC") and len(line.pieces) > 1):
        _align_comments(run)
    out: list[str] = []
    for line in lines:
        out += ["", line.text] if line.blank else [line.text]
    return out


def _runs(lines: Iterable[Line], key: Callable[[Line], object]) -> Iterator[list[Line]]:
    """Neighbouring lines (no blank line between) with the same true key, where there are two or more."""
    run: list[Line] = []
    last: object = None
    for line in lines:
        this = key(line)
        if run and (this != last or line.blank):
            if len(run) > 1:
                yield run
            run = []
        if this:
            run.append(line)
        last = this
    if len(run) > 1:
        yield run


def _shape(line: Line) -> tuple[object, ...] | None:
    """Lines of one shape are aligned with each other: assignments, one kind of named or typed item, one kind of block that
    stands on one line; maps in the rows of a list."""
    pieces = line.pieces
    kinds = [piece.kind for piece in pieces[:4]]
    if kinds[0] == "LBRACE":
        return "row", line.indent
    if not pieces[0].level or kinds[0] != "NAME":
        return None
    if kinds[1:2] in (["EQUAL"], ["DOT"]):
        return "assign", line.indent
    if kinds[1:2] == ["NAME"] and kinds[2:3] in (["EQUAL"], ["COLON"]):
        return kinds[2], pieces[0].text, line.indent
    if kinds[1:3] == ["NAME", "BODY"] and any(piece.kind == "END" for piece in pieces):
        return "block", pieces[0].text, line.indent
    return None


def _stops(line: Line) -> list[int]:
    """The pieces of a line that begin a column."""
    depth = 0
    stops: list[int] = []
    for k, piece in enumerate(line.pieces):
        if piece.kind in ("BODY", "LPAR", "LSQB", "LBRACE"):
            if piece.kind == "BODY" and depth == 0:
                stops.append(k)
            depth += 1
        elif piece.kind in ("END", "RPAR", "RSQB", "RBRACE"):
            depth -= 1
        elif depth == 0 and piece.kind == "EQUAL":
            return [*stops, k]
        else:
            before = line.pieces[k - 1].kind if k else ""
            typed = depth == 0 and before == "COLON"
            item = depth == 1 and piece.begins and before != "BODY"
            entry = depth == 1 and before == "COMMA" and line.pieces[0].kind == "LBRACE"
            if typed or item or entry:
                stops.append(k)
    return stops


def _align(run: list[Line]) -> None:
    """Column by column; a line that would grow too long drops out, and a column that needs much padding is left ragged."""
    stops = {id(line): _stops(line) for line in run}
    dropped: set[int] = set()
    for column in range(max(map(len, stops.values()))):
        for part in _runs(run, lambda line, column=column: len(stops[id(line)]) > column):  # type: ignore[misc]
            members = [line for line in part if id(line) not in dropped]
            while members:
                places = {id(line): _place(line, stops[id(line)][column]) for line in members}
                target = max(places.values())
                fitting = [m for m in members if _place(m, len(m.pieces)) + target - places[id(m)] <= WIDTH]
                if len(fitting) == len(members):
                    break
                dropped |= {id(line) for line in members} - {id(line) for line in fitting}
                members = fitting
            if members and target - min(places.values()) <= _MOST_PADDING:
                for line in members:
                    line.gaps[stops[id(line)][column]] += target - places[id(line)]


def _align_comments(run: list[Line]) -> None:
    places = [_place(line, len(line.pieces) - 1) for line in run]
    if max(places) - min(places) <= _MOST_COMMENT_PADDING:
        for line, place in zip(run, places, strict=True):
            line.gaps[-1] += max(places) - place


def _place(line: Line, k: int) -> int:
    """The column (from 0) where piece `k` stands; for `k` past the last, the width without comments behind the line."""
    if k == len(line.pieces):
        while k > 1 and line.pieces[k - 1].kind in ("COMMENT", "DOC"):
            k -= 1
        return line.indent + sum(line.gaps[:k]) + sum(len(piece.text) for piece in line.pieces[:k])
    return line.indent + sum(line.gaps[: k + 1]) + sum(len(piece.text) for piece in line.pieces[:k])

"""Where lines break and how far they are indented."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from detc.syntax.pieces import Piece

WIDTH = 100
INDENT = 2

_OPEN = frozenset({"LPAR", "LSQB", "LBRACE", "BODY"})
_CLOSE = frozenset({"RPAR", "RSQB", "RBRACE", "END"})
_TIGHT_BEFORE = _CLOSE - {"END"} | {"COMMA", "COLON"}
_TIGHT_AFTER = _OPEN - {"BODY"} | {"AT", "NEGATIVE"}
_CALLED = frozenset({"NAME", "RPAR", "RSQB", "STRING"})
_OPERATORS = ("THEN", "ELSE"), ("PIPE",), ("OR",), ("AND",), ("PLUS", "MINUS")


@dataclass(slots=True)
class Line:
    """`indent` in characters; `blank` asks for an empty line before it."""

    pieces: list[Piece]
    blank: bool = False
    indent: int = 0
    gaps: list[int] = field(default_factory=list)  # spaces before each piece

    @property
    def text(self) -> str:
        return " " * self.indent + "".join(
            " " * gap + piece.text for gap, piece in zip(self.gaps, self.pieces, strict=True)
        )


def laid_out(pieces: list[Piece]) -> list[Line]:
    """The lines of a file, broken and indented; alignment is not theirs."""
    lines = _canonical(_as_written(pieces))
    while True:
        _indent(lines)
        narrower: list[Line] = []
        for line in lines:
            parts = _broken(line) if line.indent + _text_width(line.pieces) > WIDTH else [line.pieces]
            narrower += [Line(part, line.blank and not k) for k, part in enumerate(parts)]
        if len(narrower) == len(lines):
            return lines
        lines = narrower


def _as_written(pieces: list[Piece]) -> list[Line]:
    lines: list[Line] = []
    last = 0
    for piece in pieces:
        if not lines or piece.line != last:
            lines.append(Line([], blank=bool(lines) and piece.line > last + 1))
        lines[-1].pieces.append(piece)
        last = piece.line
    return lines


def _canonical(lines: list[Line]) -> list[Line]:
    """A body on several lines has nothing behind its `{` and nothing before its `}`; `else` follows the `}` it goes with."""
    tall: set[int] = set()  # the braces (by identity of their pieces) of bodies on several lines
    open_: list[tuple[Piece, int]] = []
    for number, line in enumerate(lines):
        for piece in line.pieces:
            if piece.kind == "BODY":
                open_.append((piece, number))
            elif piece.kind == "END":
                opener, where = open_.pop()
                if where != number:
                    tall |= {id(opener), id(piece)}
    out: list[Line] = []
    for line in lines:
        before = out[-1].pieces[-1] if out else None
        if before is not None and before.kind == "END" and line.pieces[0].kind == "ELSE":
            current = out[-1]
        else:
            current = Line([], line.blank)
            out.append(current)
        for piece in line.pieces:
            last = current.pieces[-1] if current.pieces else None
            if last is not None and not piece.behind:
                ends_body = id(piece) in tall and piece.kind == "END"
                after_brace = id(last) in tall and (last.kind == "BODY" or piece.begins)
                if ends_body or after_brace:
                    current = Line([])
                    out.append(current)
            current.pieces.append(piece)
    for above, line in pairwise(out):
        opened = next((p.kind for p in reversed(above.pieces) if not p.behind), "") == "BODY"
        line.blank = line.blank and line.pieces[0].level and not opened
    return out


def _indent(lines: list[Line]) -> None:
    """Set every line's indent and gaps from the brackets open at its start."""
    open_: list[tuple[str, int]] = []  # kind, indent of the line it stands on
    item: list[int] = [0]  # indent of the current item, one entry a body that is open
    before = ""
    for line in lines:
        first = line.pieces[0]
        if first.kind in _CLOSE:
            line.indent = open_[-1][1]
        elif first.level:
            line.indent = open_[-1][1] + INDENT if open_ else 0
        elif open_ and open_[-1][0] != "BODY":
            goes_on = before not in (*_OPEN, "COMMA")
            line.indent = open_[-1][1] + (2 * INDENT if goes_on else INDENT)
        else:
            line.indent = item[-1] + INDENT
        if first.level:
            item[-1] = line.indent
        line.gaps = [0]
        for k, piece in enumerate(line.pieces):
            if k:
                line.gaps.append(_gap(line.pieces[k - 1], piece))
            if piece.kind in _OPEN:
                open_.append((piece.kind, line.indent))
                if piece.kind == "BODY":
                    item.append(line.indent + INDENT)
            elif piece.kind in _CLOSE:
                open_.pop()
                if piece.kind == "END":
                    item.pop()
            if piece.kind not in ("COMMENT", "DOC"):
                before = piece.kind


def _gap(left: Piece, right: Piece) -> int:
    """Spaces between two pieces of one line."""
    if right.behind or (right.begins and left.kind != "BODY"):
        return 2
    if left.kind in _TIGHT_AFTER or right.kind in _TIGHT_BEFORE or left.kind == "DOT":
        return 0
    if left.kind == "BODY" and right.kind == "END":
        return 0
    if right.kind == "DOT":
        return 1 if left.kind == "QUANTITY" else 0
    if right.kind in ("LPAR", "LSQB"):
        return 0 if left.kind in _CALLED else 1
    return 1


def _broken(line: Line) -> list[list[Piece]]:
    """The line in parts, by the first way there is: a body's items, several items, pipeline stages or operands that fit
    then, the elements of the widest bracket. One part if there is no way."""
    pieces = line.pieces
    partner = _partners(pieces)
    outer = _outer(pieces, partner)
    for k in outer:
        if pieces[k].kind == "BODY" and partner.get(k, 0) > k + 1:
            inside = _outer(pieces[: partner[k]], partner, k + 1)
            return _cut(pieces, [k + 1, *(j for j in inside if pieces[j].begins), partner[k]])
    if items := [k for k in outer if k and pieces[k].level]:
        return _cut(pieces, items)
    ways = [_cut(pieces, _filled(line, [k for k in outer if k and pieces[k].kind in kinds])) for kinds in _OPERATORS]
    for parts in ways:
        if len(parts) > 1 and all(_text_width(part) <= WIDTH - line.indent - INDENT for part in parts[1:]):
            return parts
    brackets = [(_text_width(pieces[k + 1 : partner[k]]), k) for k in outer if partner.get(k, 0) > k + 1]
    if brackets:
        content, k = max(brackets)
        commas = [j + 1 for j in _outer(pieces[: partner[k]], partner, k + 1) if pieces[j].kind == "COMMA"]
        fits = line.indent + INDENT + content <= WIDTH
        return _cut(pieces, [k + 1, *(() if fits else commas), partner[k]])
    return next((parts for parts in ways if len(parts) > 1), [pieces])


def _partners(pieces: list[Piece]) -> dict[int, int]:
    """For each bracket opened and closed among `pieces`, where it closes."""
    partner: dict[int, int] = {}
    open_: list[int] = []
    for k, piece in enumerate(pieces):
        if piece.kind in _OPEN:
            open_.append(k)
        elif piece.kind in _CLOSE and open_:
            partner[open_.pop()] = k
    return partner


def _outer(pieces: list[Piece], partner: dict[int, int], start: int = 0) -> list[int]:
    """The pieces from `start` on that stand in none of the brackets that follow it."""
    out: list[int] = []
    k = start
    while k < len(pieces):
        out.append(k)
        k = partner.get(k, k) + 1
    return out


def _filled(line: Line, places: list[int]) -> list[int]:
    """The fewest of `places` at which to break so that each part fits, as far as it can."""
    cuts: list[int] = []
    start, room = 0, WIDTH - line.indent
    for place, following in pairwise([*places, len(line.pieces)]):
        if _text_width(line.pieces[start:following]) > room:
            cuts.append(place)
            start, room = place, WIDTH - line.indent - INDENT
    return cuts


def _text_width(pieces: list[Piece]) -> int:
    """Of pieces on one line, without what is written behind them."""
    pieces = [piece for piece in pieces if piece.kind not in ("COMMENT", "DOC")]
    return sum(len(piece.text) for piece in pieces) + sum(_gap(left, right) for left, right in pairwise(pieces))


def _cut(pieces: list[Piece], places: list[int]) -> list[list[Piece]]:
    """Parts that begin at `places`; what must stay behind another piece stays."""
    cuts = [0, *(k for k in sorted(set(places)) if 0 < k < len(pieces) and not pieces[k].behind), len(pieces)]
    return [pieces[a:b] for a, b in pairwise(cuts)]

"""What the formatter moves around: tokens and comments in their order, each knowing its part in the layout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from detc.syntax import tree
from detc.syntax.lexer import Comment, Tokens
from detc.syntax.units import split_quantity

_ENDS_VALUE = frozenset(
    {"NAME", "NUMBER", "HEX", "QUANTITY", "DIMS", "STRING", "TRUE", "FALSE", "NONE", "RPAR", "RSQB", "RBRACE"}
)


@dataclass(slots=True)
class Piece:
    """`kind` is the token's, COMMENT, or one of our own: BODY and END for the braces of a body, NEGATIVE for a sign.

    `begins` says that an item starts here (with its leading attributes), `level` that a line that starts here is indented
    as an item, `behind` that the piece stays on the line of what stands before it.
    """

    kind: str
    text: str
    line: int
    begins: bool = False
    level: bool = False
    behind: bool = False


def pieces(tokens: Tokens, file: tree.File) -> list[Piece]:
    """All tokens and comments of a file without errors, in order."""
    begins, level = _places(file)
    out: list[Piece] = []
    comments = iter(tokens.comments)
    comment = next(comments, None)
    braces: list[bool] = []  # for each open brace: is it a body's?
    for i, kind in enumerate(tokens.kinds):
        line, column = tokens.lines[i], tokens.columns[i]
        while comment is not None and (comment.line, comment.column) < (line, column):
            out.append(_comment(comment, out))
            comment = next(comments, None)
        if kind == "$END":
            break
        piece = Piece(kind, tokens.texts[i], line, (line, column) in begins, (line, column) in level)
        if kind == "LBRACE":
            is_map = tokens.kinds[i + 1] in ("NAME", "STRING") and tokens.kinds[i + 2] == "COLON"
            braces.append(not is_map)
            piece.kind = "LBRACE" if is_map else "BODY"
        elif kind == "RBRACE":
            piece.kind = "END" if braces.pop() else "RBRACE"
        elif kind == "MINUS" and (not i or tokens.kinds[i - 1] not in _ENDS_VALUE):
            piece.kind = "NEGATIVE"
        elif kind == "QUANTITY":
            piece.text = " ".join(split_quantity(piece.text))
        elif kind == "DOC":
            piece.text = _spaced(piece.text, 2)
            piece.behind = bool(out) and out[-1].line == line
        elif kind == "AT":
            piece.behind = not piece.level
        out.append(piece)
    while comment is not None:
        out.append(_comment(comment, out))
        comment = next(comments, None)
    following = True  # does an item, a body's end or the file's end come next?
    for piece in reversed(out):
        if piece.kind in ("DOC", "COMMENT"):
            piece.level = following and not piece.behind
        else:
            following = piece.level or piece.kind == "END"
    return out


def _comment(comment: Comment, out: list[Piece]) -> Piece:
    behind = bool(out) and out[-1].line == comment.line
    return Piece("COMMENT", _spaced(comment.text, 1), comment.line, behind=behind)


def _spaced(text: str, sharps: int) -> str:
    """`#text` with a space after its sharps."""
    return f"{text[:sharps]} {text[sharps:]}" if text[sharps : sharps + 1].isalnum() else text


def _places(file: tree.File) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Where items begin, leading attributes included, and where everything at the level of items begins."""
    begins: set[tuple[int, int]] = set()
    level: set[tuple[int, int]] = set()
    for item in _items(file.items):
        at = (item.span.line, item.span.column)
        leading = [(a.span.line, a.span.column) for a in item.attributes]
        leading = [place for place in leading if place < at]
        begins.add(min([*leading, at]))
        level |= {*leading, at}
    return begins, level


def _items(items: tuple[tree.AnyItem, ...]) -> Iterator[tree.AnyItem]:
    """All items of all bodies. The second `if` of `else if` is none: it belongs to the first."""
    pending: list[tuple[tree.AnyItem, bool]] = [(item, True) for item in items]
    while pending:
        item, own = pending.pop()
        if own:
            yield item
        if isinstance(item, tree.Block | tree.For | tree.If):
            pending.extend((inner, True) for inner in item.items)
        if isinstance(item, tree.If):
            pending.extend(
                (inner, inner.span.end_column != item.span.end_column or inner.span.end_line != item.span.end_line)
                for inner in item.otherwise
            )

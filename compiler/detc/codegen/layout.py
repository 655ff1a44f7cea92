"""Laying expressions out on lines, as the usual formatters of Python do: flat if it fits, else the inside of the
outermost bracket on a line of its own, else one item a line."""

from __future__ import annotations

from detc.codegen.doc import Arg, Bracket, Cat, Choice, Doc, Hole, Loop, children

WIDTH = 120
STEP = 4


def flat(doc: Doc) -> str:
    """The expression on one line, without comments."""
    match doc:
        case str():
            return doc
        case Bracket():
            return f"{doc.head}{doc.open}{', '.join(a.prefix + flat(a.doc) for a in doc.args)}{doc.close}"
        case Cat():
            return "".join(flat(p) for p in doc.parts)
        case Loop():
            return f"[{flat(doc.body)} for {doc.names} in {flat(doc.source)}]"
        case Choice():
            return f"{flat(doc.yes)} if {doc.condition} else {flat(doc.no)}"
    raise TypeError(f"{doc!r} still has holes")


def flat_width(doc: Doc) -> int:
    """About how wide the expression is on one line; holes count as their values."""
    if isinstance(doc, Hole):
        return len(str(doc.value))
    own = len(str(doc.head)) + 2 + sum(2 + len(a.prefix) for a in doc.args) if isinstance(doc, Bracket) else 0
    return own + (len(doc) if isinstance(doc, str) else 0) + sum(flat_width(c) for c in children(doc))


def statement(doc: Doc, indent: int, prefix: str = "", comment: str = "") -> list[str]:
    """The lines of `prefix doc  # comment`. The comment stands on the first line, or above where it does not fit."""
    margin = " " * indent
    note = f"  # {comment}" if comment else ""
    lines = _lines(doc, indent, prefix, "", len(note))
    if len(lines[0]) + len(note) <= WIDTH and (len(lines) == 1 or lines[0].endswith(("(", "[", "{"))):
        return [lines[0] + note, *lines[1:]]
    return [f"{margin}# {comment}", *_lines(doc, indent, prefix, "", 0)]


def _lines(doc: Doc, indent: int, prefix: str, suffix: str, reserved: int) -> list[str]:
    margin = " " * indent
    line = f"{margin}{prefix}{flat(doc)}{suffix}"
    if len(line) + reserved <= WIDTH:
        return [line]
    match doc:
        case Bracket() if doc.args:
            return [
                f"{margin}{prefix}{doc.head}{doc.open}",
                *_items(doc.args, indent + STEP),
                f"{margin}{doc.close}{suffix}",
            ]
        case Loop():
            inner = indent + STEP
            whole = f"{' ' * inner}{flat(doc)[1:-1]}"
            body = [whole] if len(whole) <= WIDTH else [
                *_lines(doc.body, inner, "", "", 0),
                *_lines(doc.source, inner, f"for {doc.names} in ", "", 0),
            ]  # fmt: skip
            return [f"{margin}{prefix}[", *body, f"{margin}]{suffix}"]
        case Choice():
            inner = indent + STEP
            parts = [*_lines(doc.yes, inner, "", "", 0), f"{' ' * inner}if {doc.condition}"]
            return [f"{margin}{prefix}(", *parts, *_lines(doc.no, inner, "else ", "", 0), f"{margin}){suffix}"]
    return [line]


def _items(args: tuple[Arg, ...], indent: int) -> list[str]:
    margin = " " * indent
    line = margin + ", ".join(a.prefix + flat(a.doc) for a in args)
    commented = any(a.comment for a in args)
    if len(line) <= WIDTH and not commented:
        return [line]
    if len(args) == 1 and not commented:
        return _lines(args[0].doc, indent, args[0].prefix, "", 0)
    lines = []
    for arg in args:
        lines += _with_comment(_lines(arg.doc, indent, arg.prefix, ",", 0), arg.comment)
    return lines


def _with_comment(lines: list[str], comment: str) -> list[str]:
    if comment and len(lines) == 1 and len(lines[0]) + 4 + len(comment) <= WIDTH:
        return [f"{lines[0]}  # {comment}"]
    return lines

"""The one way a spec is laid out: two spaces a level, aligned columns, at most 100 characters a line.

Lines stay where their writer broke them, except that a body on several lines has its braces at line ends, and that a line
too long is broken. Only white space between tokens changes, so the tree cannot; that is checked all the same.
"""

from __future__ import annotations

from typing import Any

from detc.diagnostics import Finding, Source, has_errors
from detc.syntax import mistakes, tree
from detc.syntax.alignment import aligned
from detc.syntax.layout import laid_out
from detc.syntax.lexer import tokenize
from detc.syntax.parser import parse, tables
from detc.syntax.pieces import pieces


def format_file(text: str, path: str = "") -> tuple[str, tuple[Finding, ...]]:
    """`text` in its canonical layout, and what was found on the way. A text with syntax errors comes back as it was."""
    source = Source(path, text)
    file, findings = parse(source)
    if has_errors(findings):
        return text, findings
    tokens, _ = tokenize(source, tables())
    lines = laid_out(pieces(tokens, file))
    formatted = "".join(f"{line}\n" for line in aligned(lines))
    again, trouble = parse(Source(path, formatted))
    if has_errors(trouble) or not same(file, again):
        return text, (*findings, mistakes.NOT_FORMATTED(None, path=path))
    return formatted, findings


def same(a: tree.Node, b: tree.Node) -> bool:
    """True if two trees differ in nothing but their spans."""
    pending: list[tuple[Any, Any]] = [(a, b)]
    while pending:
        x, y = pending.pop()
        if type(x) is not type(y):
            return False
        if isinstance(x, tree.Node):
            names = type(x).__match_args__
            pending.extend((getattr(x, name), getattr(y, name)) for name in names if name != "span")
        elif isinstance(x, tuple):
            if len(x) != len(y):
                return False
            pending.extend(zip(x, y, strict=True))
        elif x != y:
            return False
    return True

"""Text to tokens: one pass of one regular expression made from the grammar's terminals. Nothing is lost: comments are
kept aside for the formatter, and what is no token is replaced by the likeliest one, with a finding."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from detc.diagnostics import Finding, Source, Span
from detc.diagnostics.did_you_mean import closest
from detc.syntax import mistakes
from detc.syntax.tables import Tables
from detc.syntax.units import UNITS

MAX_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Comment:
    """A `#` comment."""

    text: str
    line: int
    column: int


@dataclass(slots=True)
class Tokens:
    """Parallel lists, one entry a token; the last is `$END`. No token spans a line end. Lines and columns count from 1."""

    file: str
    kinds: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)

    def add(self, kind: str, text: str, line: int, column: int) -> None:
        self.kinds.append(kind)
        self.texts.append(text)
        self.lines.append(line)
        self.columns.append(column)

    def end(self, i: int) -> tuple[int, int]:
        return self.lines[i], self.columns[i] + len(self.texts[i])

    def span(self, first: int, last: int | None = None) -> Span:
        """The stretch from token `first` to the end of token `last` (default: the same token)."""
        end_line, end_column = self.end(first if last is None else last)
        return Span(self.file, self.lines[first], self.columns[first], end_line, end_column)

    def starts_line(self, i: int) -> bool:
        return i == 0 or self.lines[i] != self.lines[i - 1]

    def without(self, dropped: set[int]) -> Tokens:
        kept = [i for i in range(len(self.kinds)) if i not in dropped]
        columns = ([column[i] for i in kept] for column in (self.kinds, self.texts))
        places = ([column[i] for i in kept] for column in (self.lines, self.columns))
        return Tokens(self.file, *columns, *places, self.comments)


def tokenize(source: Source, tables: Tables) -> tuple[Tokens, list[Finding]]:
    """All tokens of `source`, and what was wrong with their spelling (reading stops after MAX_FINDINGS)."""
    text = source.text
    literals = tables.literals
    tokens = Tokens(source.path)
    kinds, texts, lines, columns = tokens.kinds, tokens.texts, tokens.lines, tokens.columns
    findings: list[Finding] = []
    line, line_start = 1, 0
    next_line = text.find("\n") + 1 or len(text) + 1
    end = 1 if text.startswith("\ufeff") else 0
    for match in _master(tables).finditer(text, end):
        kind = match.lastgroup
        if kind is None:  # only white space is left
            break
        start, end = match.span(kind)
        while start >= next_line:
            line, line_start = line + 1, next_line
            next_line = text.find("\n", line_start) + 1 or len(text) + 1
        word = text[start:end]
        if kind == "NAME" or kind == "LITERAL":
            kind = literals.get(word, "NAME")
        elif kind == "COMMENT":
            tokens.comments.append(Comment(word.rstrip(), line, start - line_start + 1))
            continue
        elif kind == "DOC":
            word = word.rstrip()
        elif kind.startswith("BAD_"):
            span = Span(source.path, line, start - line_start + 1, line, end - line_start + 1)
            repaired, finding = mistakes.spelling(kind, word, span)
            findings.append(finding)
            if len(findings) >= MAX_FINDINGS:
                findings.append(mistakes.TOO_MANY(span, allowed=MAX_FINDINGS))
                break
            if repaired is None:
                continue
            kind = repaired
        kinds.append(kind)
        texts.append(word)
        lines.append(line)
        columns.append(start - line_start + 1)
    last_line = line + text.count("\n", line_start)
    tokens.add("$END", "", last_line, len(text) - (text.rfind("\n") + 1) + 1)
    return _join_units(tokens, findings), findings


def _master(tables: Tables) -> re.Pattern[str]:
    punctuation = sorted((p for p in tables.literals if not p.isalpha()), key=len, reverse=True)
    parts = [f"(?P<{name}>{pattern})" for name, pattern in tables.patterns]
    parts += [f"(?P<LITERAL>{'|'.join(re.escape(p) for p in punctuation)})", *mistakes.PATTERNS]
    return re.compile(rf"[ \t\r\n\f]*(?:{'|'.join(parts)}|\Z)")


_LONG_UNITS = tuple(unit for unit in UNITS if len(unit) >= 4)
_AFTER_HEAD = frozenset({"NAME", "STRING", "EQUAL", "DOT", "COLON", "LPAR", "LBRACE", "CMP", "IN", "ON", "EXTENDS"})


def _join_units(tokens: Tokens, findings: list[Finding]) -> Tokens:
    """`3 bitz` and `640 KB ib`: a number and a word on one line, where the word cannot begin an item, is a misspelt unit."""
    kinds, texts, lines = tokens.kinds, tokens.texts, tokens.lines
    dropped: set[int] = set()
    for i in range(1, len(kinds)):
        if kinds[i] != "NAME" or kinds[i - 1] not in ("NUMBER", "QUANTITY") or lines[i] != lines[i - 1]:
            continue
        follows = kinds[i + 1] if lines[i + 1] == lines[i] else "$END"
        misspelt = len(texts[i]) >= 4 and follows in ("NAME", "STRING") and closest(texts[i], _LONG_UNITS) is not None
        if follows in _AFTER_HEAD and not misspelt:
            continue
        dropped.add(i)
        findings.append(mistakes.unknown_unit(texts[i - 1], texts[i], tokens.span(i - 1, i), tokens.span(i)))
        if len(findings) >= MAX_FINDINGS:
            break
    return tokens.without(dropped) if dropped else tokens

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
        kinds, texts = ([column[i] for i in kept] for column in (self.kinds, self.texts))
        lines, columns = ([column[i] for i in kept] for column in (self.lines, self.columns))
        return Tokens(self.file, kinds, texts, lines, columns, self.comments)


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
        ended = end
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
            if (
                kind == "BAD_NAME" and kinds and kinds[-1] == "NAME" and start == ended
            ):  # the ASCII head of the same word
                word = texts.pop() + word
                start = end - len(word)
                del kinds[-1], lines[-1], columns[-1]
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
_FOLDED_UNITS = frozenset(unit.casefold() for unit in UNITS if len(unit) > 1)
_AFTER_HEAD = frozenset({"STRING", "EQUAL", "DOT", "COLON", "LPAR", "LBRACE", "CMP", "IN", "ON", "EXTENDS"})


def _misspelt(word: str) -> bool:
    """One slip only: `16 stage float {` is an item, `16 epocs stage {` is not."""
    if word.casefold() in _FOLDED_UNITS:
        return True
    return len(word) >= 4 and closest(word, _LONG_UNITS, most=1) is not None


def _join_units(tokens: Tokens, findings: list[Finding]) -> Tokens:
    """`3 bitz` and `640 KB ib`: a number and words on one line that cannot begin an item are a misspelt unit."""
    kinds, texts, lines = tokens.kinds, tokens.texts, tokens.lines
    dropped: set[int] = set()
    for number in range(len(kinds) - 1):
        if kinds[number + 1] != "NAME" or kinds[number] not in ("NUMBER", "QUANTITY"):
            continue
        first = number + 1
        end = first
        while kinds[end] == "NAME" and lines[end] == lines[number]:
            end += 1
        words = end - first
        if (
            lines[end] == lines[number] and kinds[end] in _AFTER_HEAD
        ):  # an item begins with the last word, or the last two
            words = 1 if words == 2 and _misspelt(texts[first]) else max(0, words - 2)
        if not words:
            continue
        dropped.update(range(first, first + words))
        unit = " ".join(texts[first : first + words])
        last = first + words - 1
        findings.append(mistakes.unknown_unit(texts[number], unit, tokens.span(number, last), tokens.span(first, last)))
        if len(findings) >= MAX_FINDINGS:
            break
    return tokens.without(dropped) if dropped else tokens

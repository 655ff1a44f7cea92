"""A source's tree and everything that is wrong with its text."""

from __future__ import annotations

from functools import cache, lru_cache

from detc.diagnostics import Finding, Source, Span
from detc.syntax import mistakes, tree
from detc.syntax.automaton import Automaton
from detc.syntax.brackets import balance
from detc.syntax.build import attach, head_doc
from detc.syntax.explain import mark_missing_values
from detc.syntax.lexer import MAX_FINDINGS, tokenize
from detc.syntax.recovery import Recovery
from detc.syntax.tables import Tables, load

MAX_CHARACTERS = 1 << 20


def parse(source: Source) -> tuple[tree.File, tuple[Finding, ...]]:
    """The tree of `source` and every mistake in its text, in order. Never raises; what could not be understood is left out
    of the tree. A text of more than MAX_CHARACTERS is refused unread."""
    text = source.text
    last_line = text.count("\n") + 1
    whole = Span(source.path, 1, 1, last_line, len(text) - text.rfind("\n"))
    if len(text) > MAX_CHARACTERS:
        size = f"{len(text):,} characters"
        finding = mistakes.TOO_LONG(None, path=source.path, actual=size, allowed=f"{MAX_CHARACTERS:,}")
        return tree.File(whole, "", ()), (finding,)
    tokens, findings = tokenize(source, tables())
    reported = {finding.span.line for finding in findings if finding.span}
    tokens, unbalanced, at_fault = balance(tokens, reported)
    findings += unbalanced
    if len(findings) > MAX_FINDINGS:
        del findings[MAX_FINDINGS:]
        findings.append(mistakes.TOO_MANY(findings[-1].span, allowed=MAX_FINDINGS))
        entries = []
    else:
        mark_missing_values(tokens)
        entries = Automaton(tables(), tokens, findings, Recovery(reported | at_fault)).run()
    doc, rest = head_doc(entries)
    items = attach(rest, findings)
    findings.sort(key=lambda finding: (finding.span.line, finding.span.column) if finding.span else (0, 0))
    return tree.File(whole, doc, items), tuple(findings)


@lru_cache(maxsize=128)
def parse_shared(source: Source) -> tuple[tree.File, tuple[Finding, ...]]:
    """`parse`, done once for each text: for the files that many specs read, such as the standard library and the targets."""
    return parse(source)


@cache
def tables() -> Tables:
    """The parse tables, read once."""
    return load()

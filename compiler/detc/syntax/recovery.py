"""After a mistake, go on where it is safe.

Small slips (a missing comma, `:` for `=`, a misspelt word of the language) are mended in place. After anything else the
unfinished item is dropped and reading resumes at the next item of the same body, so that three mistakes give three reports.
"""

from __future__ import annotations

from detc.diagnostics import Finding
from detc.syntax import mistakes
from detc.syntax.automaton import Automaton
from detc.syntax.brackets import CLOSER_OF, looks_like_item
from detc.syntax.build import Doc
from detc.syntax.explain import explain
from detc.syntax.lexer import MAX_FINDINGS
from detc.syntax.tree import Attribute

_CLOSERS = frozenset(CLOSER_OF.values())


class Recovery:
    """What an automaton does about mistakes in one file. `reported` holds the lines that already have a finding: nothing is
    said about them twice."""

    def __init__(self, reported: set[int]) -> None:
        self.reported = reported
        self.mended = -1

    def report(self, automaton: Automaton, i: int, known: Finding | None = None) -> int | None:
        """Say what is wrong with token `i` (`known` if that is known), and mend it where that is easy: the token to go on
        with, -1 to give up, None if it could not be mended."""
        tokens, findings = automaton.tokens, automaton.findings
        start = _unfinished(automaton, i)[1]
        if known:
            finding, mend = known, None
        else:
            finding, mend = explain(automaton, i, start)
        lines = range(tokens.lines[start], tokens.lines[i] + 1)
        put_in = not tokens.texts[i] and tokens.kinds[i] != "$END"  # by the repair of brackets, which said so
        if not put_in and self.reported.isdisjoint(lines):
            findings.append(finding)
            if finding.span:
                self.reported.update(range(finding.span.line, finding.span.end_line + 1))
        if len(findings) >= MAX_FINDINGS:
            findings.append(mistakes.TOO_MANY(tokens.span(i), allowed=MAX_FINDINGS))
            return -1
        if mend and self.mended < i:
            self.mended = i
            return _mend(automaton, i, mend)
        return None

    def resume(self, automaton: Automaton, i: int) -> int:
        """Drop the unfinished item, if any: the token to go on with is the next item of the same body, or the body's end."""
        base, start = _unfinished(automaton, i)
        return _resume(automaton, base, start, i)


def _unfinished(automaton: Automaton, i: int) -> tuple[int, int]:
    """How many values stand below the innermost unfinished item, and its first token (`i` if there is none yet)."""
    gotos = automaton.tables.gotos
    base = next(k for k in range(len(automaton.states) - 1, -1, -1) if "item" in gotos[automaton.states[k]])
    return base, automaton.starts[base] if base < len(automaton.starts) else i


def _mend(automaton: Automaton, i: int, mend: str) -> int:
    """`mend` is "skip" (leave token i out), "," (put a comma before it) or the kind that it should have had."""
    tokens = automaton.tokens
    if mend == "skip":
        return i + 1
    if mend == ",":
        line, column = tokens.end(i - 1)
        tokens.kinds.insert(i, "COMMA")
        tokens.texts.insert(i, "")
        tokens.lines.insert(i, line)
        tokens.columns.insert(i, column)
    else:
        tokens.kinds[i] = mend
    return i


def _resume(automaton: Automaton, base: int, start: int, i: int) -> int:
    values, tokens = automaton.values, automaton.tokens
    del automaton.states[base + 1 :], values[base:], automaton.starts[base:], automaton.depths[base:]
    if values and isinstance(values[-1], list):  # docs and attributes of the dropped item
        while values[-1] and isinstance(values[-1][-1], Doc | Attribute):
            values[-1].pop()
    column = tokens.columns[next(k for k in range(start, -1, -1) if tokens.starts_line(k))]
    depth = 0
    for j in range(start, len(tokens.kinds)):
        kind = tokens.kinds[j]
        beyond = j > i or j == i > start
        if kind == "$END" or (beyond and depth == 0 and kind in _CLOSERS):
            return j
        # before `i` too: the head of an item may have been taken for a part of the one before it
        if j > start and depth == 0 and looks_like_item(tokens, j) and tokens.columns[j] <= column:
            return j
        if kind in CLOSER_OF:
            depth += 1
        elif kind in _CLOSERS:
            depth = max(0, depth - 1)
    return -1

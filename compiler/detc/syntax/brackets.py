"""Brackets that do not match: found before parsing, reported where they were opened, and repaired in the token stream so
that the parser meets no trouble of their making."""

from __future__ import annotations

from dataclasses import dataclass

from detc.diagnostics import Finding, Related
from detc.syntax import mistakes
from detc.syntax.lexer import MAX_FINDINGS, Tokens

CLOSER_OF = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
_OPENER_OF = {closer: opener for opener, closer in CLOSER_OF.items()}
_TEXT = {"LPAR": "(", "RPAR": ")", "LSQB": "[", "RSQB": "]", "LBRACE": "{", "RBRACE": "}"}

MAX_OPEN = 150
"""How many brackets may be open at once."""

STARTERS = frozenset({"NAME", "DOC", "AT", "USE", "REQUIRE", "FOR", "IF"})
_AFTER_NAME = frozenset({"NAME", "STRING", "EQUAL", "DOT", "LPAR", "LBRACE", "CMP", "IN", "ON", "EXTENDS"})


def looks_like_item(tokens: Tokens, i: int) -> bool:
    """True if the line of token `i` begins with it and reads like the head of an item."""
    if not tokens.starts_line(i) or tokens.kinds[i] not in STARTERS:
        return False
    return tokens.kinds[i] != "NAME" or tokens.kinds[i + 1] in _AFTER_NAME


def balance(tokens: Tokens, quiet_lines: set[int]) -> tuple[Tokens, list[Finding], set[int]]:
    """Tokens whose brackets match, what was wrong, and the lines of the brackets at fault. On `quiet_lines` something was
    already reported; brackets there are repaired without a word."""
    if _balanced(tokens.kinds):
        return tokens, [], set()
    return _Repair(tokens, quiet_lines).run()


def _balanced(kinds: list[str]) -> bool:
    open_: list[str] = []
    for kind in kinds:
        if kind in CLOSER_OF:
            open_.append(CLOSER_OF[kind])
            if len(open_) > MAX_OPEN:
                return False
        elif kind in _OPENER_OF and (not open_ or open_.pop() != kind):
            return False
    return not open_


@dataclass(frozen=True, slots=True)
class _Opener:
    kind: str
    token: int
    line: int
    indent: int  # column of the first token of its line


class _Repair:
    """One walk with a stack of open brackets; indentation tells which of them lacks its partner."""

    def __init__(self, tokens: Tokens, quiet_lines: set[int]) -> None:
        self.tokens = tokens
        self.quiet = quiet_lines
        self.out = Tokens(tokens.file, comments=tokens.comments)
        self.stack: list[_Opener] = []
        self.findings: list[Finding] = []
        self.at_fault: set[int] = set()

    def run(self) -> tuple[Tokens, list[Finding], set[int]]:
        tokens = self.tokens
        indent = 1
        for i, kind in enumerate(tokens.kinds):
            if len(self.findings) > MAX_FINDINGS:
                break  # nobody goes on from here
            if tokens.starts_line(i):
                indent = tokens.columns[i]
                if looks_like_item(tokens, i):
                    self._close_deeper(indent, i)
            if kind in _OPENER_OF and not self._close(kind, i):
                continue
            if kind == "$END":
                while self.stack:
                    self._unclosed(i)
            self.out.add(kind, tokens.texts[i], tokens.lines[i], tokens.columns[i])
            if kind in CLOSER_OF:
                self.stack.append(_Opener(kind, i, tokens.lines[i], indent))
                if len(self.stack) > MAX_OPEN:
                    return self._too_deep(i)
        return self.out, self.findings, self.at_fault

    def _too_deep(self, i: int) -> tuple[Tokens, list[Finding], set[int]]:
        """Leave out everything from the bracket on that is one too many."""
        self.findings.append(mistakes.TOO_DEEP(self.tokens.span(i), allowed=MAX_OPEN))
        line, column = self.tokens.end(i)
        for open_ in reversed(self.stack):
            self.out.add(CLOSER_OF[open_.kind], "", line, column)
        self.out.add("$END", "", line, column)
        return self.out, self.findings, self.at_fault | {line}

    def _close_deeper(self, column: int, i: int) -> None:
        """An item begins at `column`: what was opened on lines indented as far or farther should be closed by now."""
        while self.stack and column <= self.stack[-1].indent and self.stack[-1].line < self.tokens.lines[i]:
            self._unclosed(i)

    def _close(self, kind: str, i: int) -> bool:
        """Close the partner of the closing bracket `i`, and what stands open inside it; False if there is no partner."""
        opener = _OPENER_OF[kind]
        column = self.tokens.columns[i] if self.tokens.starts_line(i) else 0
        while kind == "RBRACE" and column and self.stack and column < self.stack[-1].indent:
            if not any(open_.kind == opener and open_.indent <= column for open_ in self.stack[:-1]):
                break
            self._unclosed(i)
        if not any(open_.kind == opener for open_ in self.stack):
            if self.stack and self.stack[-1].line == self.tokens.lines[i]:
                self._mismatched(i)
                return False
            text, partner = _TEXT[kind], _TEXT[opener]
            self._report(mistakes.UNOPENED(self.tokens.span(i), bracket=text, partner=partner), self.tokens.lines[i])
            return False
        while self.stack[-1].kind != opener:
            self._unclosed(i)
        self.stack.pop()
        return True

    def _unclosed(self, before: int) -> None:
        """Put the partner of the innermost open bracket in front of token `before`."""
        open_ = self.stack.pop()
        text, partner = _TEXT[open_.kind], _TEXT[CLOSER_OF[open_.kind]]
        related = []
        if self.tokens.kinds[before] != "$END":
            related = [Related(self.tokens.span(before), f"the `{partner}` is missing before this")]
        finding = mistakes.UNCLOSED(
            self.tokens.span(open_.token), label="opened here", related=related, bracket=text, partner=partner
        )
        self._report(finding, open_.line)
        line, column = self.out.end(len(self.out.kinds) - 1)
        self.out.add(CLOSER_OF[open_.kind], "", line, column)

    def _mismatched(self, i: int) -> None:
        """`(3, 4]`: token `i` was meant to close the innermost bracket."""
        open_ = self.stack.pop()
        text, wrong, partner = _TEXT[open_.kind], self.tokens.texts[i], CLOSER_OF[open_.kind]
        finding = mistakes.MISMATCHED(
            self.tokens.span(i), related=[Related(self.tokens.span(open_.token), "opened here")],
            bracket=text, wrong=wrong, partner=_TEXT[partner],
        )  # fmt: skip
        self._report(finding, open_.line)
        self.out.add(partner, wrong, self.tokens.lines[i], self.tokens.columns[i])

    def _report(self, finding: Finding, line: int) -> None:
        self.at_fault.add(line)
        if line not in self.quiet:
            self.findings.append(finding)

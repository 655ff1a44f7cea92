"""What to say about a token that the grammar cannot take, and how the slip could be mended in place."""

from __future__ import annotations

from detc.diagnostics import Finding, Span
from detc.diagnostics.did_you_mean import closest
from detc.syntax import mistakes
from detc.syntax.automaton import Automaton
from detc.syntax.brackets import looks_like_item
from detc.syntax.lexer import Tokens

_BEGIN_VALUE = frozenset(
    {"NAME", "NUMBER", "HEX", "QUANTITY", "DIMS", "STRING", "TRUE", "FALSE", "NONE", "LSQB", "LBRACE", "LPAR"}
)
_INFIX = frozenset({"PLUS", "MUL", "PIPE", "TO", "AND", "OR", "CMP", "IN"})
_AFTER_HEAD = frozenset({"EQUAL", "COLON", "LBRACE", "LPAR", "ON", "EXTENDS"})
_WANTS_VALUE = _INFIX | {"EQUAL", "MINUS"}
NOTHING_FOLLOWS = "NOTHING_FOLLOWS"
"""The kind `mark_missing_values` gives to a token after which the value is missing."""

_EXPECTED = (
    ("NUMBER", "a value"), ("NAME", "a name"), ("STRING", "a string"), ("EQUAL", "`=`"), ("COLON", "`:`"),
    ("COMMA", "`,`"), ("RPAR", "`)`"), ("RSQB", "`]`"), ("LBRACE", "a body `{ .. }`"), ("CMP", "a comparison"),
    ("THEN", "`then`"), ("ELSE", "`else`"), ("IN", "`in`"), ("FOR", "`for`"),
)  # fmt: skip

Verdict = tuple[Finding, str | None]
"""The finding, and a mend for `recovery`: "skip", ",", the kind the token should have had, or None."""


def explain(automaton: Automaton, i: int, start: int) -> Verdict:
    """Token `i` does not fit; the unfinished item began with token `start`."""
    return _Explanation(automaton, i, start).verdict()


def mark_missing_values(tokens: Tokens) -> None:
    """`let a =` above `let b = 3` would read as `let a = let`, then `b = 3`. Such an `=` gets a kind no rule knows."""
    kinds, lines, columns = tokens.kinds, tokens.lines, tokens.columns
    indent = 1
    for i in range(len(kinds) - 3):
        if tokens.starts_line(i):
            indent = columns[i]
        if lines[i] == lines[i + 1] or columns[i + 1] > indent:
            continue
        item_follows = kinds[i + 1 : i + 3] == ["NAME", "NAME"] and kinds[i + 3] in _AFTER_HEAD
        if kinds[i] == "USE" or (kinds[i] in _WANTS_VALUE and item_follows):
            kinds[i] = NOTHING_FOLLOWS


class _Explanation:
    def __init__(self, automaton: Automaton, i: int, start: int) -> None:
        self.tokens = automaton.tokens
        self.words = {kind: word for word, kind in automaton.tables.literals.items() if word.isalpha()}
        self.allowed = {kind for kind in (*_kinds(automaton),) if automaton.accepts(kind)}
        self.i, self.start = i, start
        self.kind, self.text = self.tokens.kinds[i], self.tokens.texts[i]
        self.before = automaton.last if i > start else i
        self.here = self.tokens.span(i)

    def verdict(self) -> Verdict:
        for reading in (self._where, self._reserved, self._no_value, self._slip, self._separator, self._misspelt):
            verdict = reading()
            if verdict:
                return verdict
        return self._misplaced(), None

    # ---- what it may be, the most telling first ---------------------------------------------------------------------

    def _where(self) -> Verdict | None:
        """`param x = 3 where x > 0`"""
        kinds, first = self.tokens.kinds, self.start
        if self.kind == "WHERE" and self.i >= first + 4 and kinds[first : first + 3] == ["NAME", "NAME", "EQUAL"]:
            return mistakes.WHERE_NEEDS_TYPE(self.here, word=self.tokens.texts[first + 1]), None
        return None

    def _reserved(self) -> Verdict | None:
        """`let in = 3`, `conv(as = 2)`, `for = 1`"""
        kinds, i = self.tokens.kinds, self.i
        if self.kind in ("EQUAL", "COLON") and i > 0 and kinds[i - 1] in self.words and i - 1 >= self.start:
            word = self.tokens.texts[i - 1]
            if kinds[i - 1] not in ("THEN", "ELSE"):
                return mistakes.RESERVED(self.tokens.span(i - 1), word=word), None
        if self.kind in self.words and "NAME" in self.allowed:
            value_wanted = "NUMBER" in self.allowed
            names_it = kinds[i + 1] in ("EQUAL", "COLON", "DOT")
            if names_it or not value_wanted or self.kind not in (*_INFIX, "THEN", "ELSE", "FOR"):
                return mistakes.RESERVED(self.here, word=self.text), "NAME"
        return None

    def _no_value(self) -> Verdict | None:
        """`x =` at a line's end, `a + )`, `if {`"""
        tokens, i = self.tokens, self.i
        if self.kind == NOTHING_FOLLOWS:
            return self._nothing_follows(i), None
        if self.kind == "DOT" and "NUMBER" in self.allowed and tokens.kinds[i + 1] == "NUMBER":
            word = f".{tokens.texts[i + 1]}"
            return mistakes.BAD_NUMBER(tokens.span(i, i + 1), word=word, help=f"write `0{word}`"), "skip"
        if "NUMBER" in self.allowed and "PLUS" not in self.allowed and i > self.start and self.kind != "COMMA":
            return self._nothing_follows(self.before), None
        # `x =` and on the next line `y = 3`: the name was taken for the value
        if self.kind not in ("EQUAL", "COLON") or i - 1 <= self.start or not looks_like_item(tokens, i - 1):
            return None
        return (self._nothing_follows(i - 2), None) if tokens.kinds[i - 2] in _WANTS_VALUE else None

    def _nothing_follows(self, after: int) -> Finding:
        what = f"`{self.tokens.texts[after]}`"
        return mistakes.NO_VALUE(self.tokens.span(after), label="nothing follows", what=what)

    def _slip(self) -> Verdict | None:
        """A sign for another: `batch: 16`, `if x = 3`, `a < b < c`"""
        tokens, i, allowed = self.tokens, self.i, self.allowed
        word = tokens.texts[i - 1] if i else ""
        if self.kind == "COLON" and "EQUAL" in allowed and tokens.kinds[i - 1] == "NAME":
            return mistakes.COLON_FOR_EQUAL(self.here, word=word), "EQUAL"
        if self.kind == "EQUAL" and "COLON" in allowed and "CMP" not in allowed:
            return self._misplaced("in a map write `key: value`"), "COLON"
        if self.kind == "EQUAL" and "RSQB" in allowed:
            return self._misplaced("only calls, with `(` and `)`, take named values"), None
        if self.kind == "EQUAL" and "CMP" in allowed and tokens.kinds[self.start] in ("IF", "REQUIRE"):
            return mistakes.ASSIGN_FOR_EQUAL(self.here), "CMP"
        if self.kind in ("CMP", "IN") and "AND" in allowed:
            return mistakes.CHAINED(self.here), None
        return None

    def _separator(self) -> Verdict | None:
        """A comma too many, or one too few."""
        if self.kind == "COMMA" and "AT" in self.allowed:
            return mistakes.COMMA_BETWEEN_ITEMS(self.here, text=self.text), "skip"
        if self.kind == "COMMA" and ("RPAR" in self.allowed or "RSQB" in self.allowed or "RBRACE" in self.allowed):
            return self._misplaced("remove one of the commas"), "skip"
        if self.kind in _BEGIN_VALUE and "COMMA" in self.allowed and "AT" not in self.allowed:
            place = self.tokens.end(self.i - 1)
            span = Span(self.tokens.file, *place, self.here.end_line, self.here.end_column)
            if place[0] != self.here.line:
                span = self.here
            what = f"`{_short(self.text)}`"
            return mistakes.NO_COMMA(span, what=what, text=_short(self.text)), ","
        return None

    def _misspelt(self) -> Verdict | None:
        """`model x extend detector {`"""
        if self.kind != "NAME":
            return None
        wanted = {word: kind for kind, word in self.words.items() if kind in self.allowed}
        better = closest(self.text, wanted)
        if better is None:
            return None
        return mistakes.MISSPELT(self.here, word=self.text, better=better), wanted[better]

    def _misplaced(self, help: str | None = None) -> Finding:
        expected = self._expected()
        head_ends = self.before >= self.start and self.i > self.start
        if head_ends and (self.kind in ("$END", "RBRACE") or looks_like_item(self.tokens, self.i)):
            first = self.start if self.tokens.lines[self.start] == self.tokens.lines[self.before] else self.before
            span = self.tokens.span(first, self.before)
            head = " ".join(t for t in self.tokens.texts[first : self.before + 1] if t)
            return mistakes.UNFINISHED(span, head=_short(head, 60), expected=expected)
        if self.kind == "$END":
            return mistakes.UNFINISHED(self.here, head="the file", expected=expected)
        return mistakes.MISPLACED(self.here, what=f"`{_short(self.text)}`", expected=expected, help=help)

    def _expected(self) -> str:
        allowed = set(self.allowed)
        if "NUMBER" in allowed:
            allowed -= {"NAME", "STRING", "LBRACE"}
        if "CMP" in allowed and "PLUS" in allowed:
            allowed.discard("CMP")
        if "AT" in allowed:
            allowed -= {"NAME", "IF", "FOR", "IN"}
        phrases = [phrase for kind, phrase in _EXPECTED if kind in allowed]
        if "PLUS" in allowed and "NUMBER" not in allowed:
            phrases.append("an operator")
        if "AT" in allowed:
            phrases.append("an item")
        phrases += [f"`{self.words[kind]}`" for kind in ("ON", "EXTENDS", "AS", "WHERE") if kind in allowed]
        if not phrases:
            return "nothing can follow"
        return "expected " + (phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} or {phrases[-1]}")


def _kinds(automaton: Automaton) -> list[str]:
    row = automaton.tables.actions[automaton.states[-1]]
    return list(row)


def _short(text: str, most: int = 30) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."

"""From productions to tree nodes: one method a production of det.lark, one a terminal that carries a value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from detc.diagnostics import Finding, Span
from detc.syntax import mistakes, tree
from detc.syntax.lexer import Tokens
from detc.syntax.units import split_quantity

MAX_DIGITS = 40

_ESCAPE = re.compile(r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|([^\n])|$)")
_ESCAPED = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Doc(tree.Node):
    """A `##` line before it is attached to its item."""

    text: str


@dataclass(frozen=True, slots=True)
class On(tree.Node):
    parts: tuple[tree.Expr, ...]


@dataclass(frozen=True, slots=True)
class Extends(tree.Node):
    path: tuple[tree.Name, ...]


Entry = tree.AnyItem | tree.Attribute | Doc
"""What stands in a body before docs and attributes have found their items."""


class Builder:
    """Makes nodes from `tokens`; complaints about what the grammar cannot refuse go to `findings`."""

    def __init__(self, tokens: Tokens, findings: list[Finding]) -> None:
        self.tokens = tokens
        self.findings = findings
        self.leaves: dict[str, Callable[[int], tree.Expr | Doc]] = {
            "NAME": self._name, "NUMBER": self._number, "HEX": self._hex, "QUANTITY": self._quantity,
            "DIMS": self._dims, "STRING": self._string, "DOC": self._doc,
            "TRUE": lambda i: tree.Constant(tokens.span(i), True),
            "FALSE": lambda i: tree.Constant(tokens.span(i), False),
            "NONE": lambda i: tree.Constant(tokens.span(i), None),
        }  # fmt: skip

    # ---- terminals --------------------------------------------------------------------------------------------------

    def _name(self, i: int) -> tree.Name:
        return tree.Name(self.tokens.span(i), self.tokens.texts[i])

    def _doc(self, i: int) -> Doc:
        return Doc(self.tokens.span(i), self.tokens.texts[i][2:].removeprefix(" "))

    def _number(self, i: int) -> tree.Number:
        text = self.tokens.texts[i]
        return tree.Number(self.tokens.span(i), self._value(text, i), text)

    def _hex(self, i: int) -> tree.Number:
        text = self.tokens.texts[i]
        too_long = len(text) > MAX_DIGITS
        if too_long:
            self.findings.append(
                mistakes.OUT_OF_RANGE(self.tokens.span(i), word=_short(text), what="long", allowed=MAX_DIGITS)
            )
        return tree.Number(self.tokens.span(i), 0 if too_long else int(text, 16), text)

    def _quantity(self, i: int) -> tree.Quantity:
        text = self.tokens.texts[i]
        number, unit = split_quantity(text)
        return tree.Quantity(self.tokens.span(i), self._value(number, i), unit, f"{number} {unit}")

    def _value(self, text: str, i: int) -> int | float:
        problem = ""
        value: int | float = 0
        whole = text.replace("_", "").isdecimal()
        try:
            if whole and len(text) > MAX_DIGITS:
                problem = "long"
            else:
                value = int(text) if whole else float(text)
        except ValueError:  # a misspelt number, reported when it was read
            return 0
        if math.isinf(value):
            problem, value = "large", 0
        if problem:
            span = self.tokens.span(i)
            self.findings.append(mistakes.OUT_OF_RANGE(span, word=_short(text), what=problem, allowed=MAX_DIGITS))
        return value

    def _dims(self, i: int) -> tree.Dims:
        text = self.tokens.texts[i]
        parts = text.split("x")
        if max(map(len, parts)) > MAX_DIGITS:
            self.findings.append(
                mistakes.OUT_OF_RANGE(self.tokens.span(i), word=_short(text), what="long", allowed=MAX_DIGITS)
            )
            parts = ["1"] * len(parts)
        return tree.Dims(self.tokens.span(i), tuple(int(part) for part in parts))

    def _string(self, i: int) -> tree.String:
        text = self.tokens.texts[i]
        quote = text[0]
        inner = text[1:-1] if len(text) > 1 and text.endswith(quote) else text[1:]
        if "\\" in inner and quote == '"':
            inner = _ESCAPE.sub(lambda match: self._escape(match, i), inner)
        return tree.String(self.tokens.span(i), inner)

    def _escape(self, match: re.Match[str], i: int) -> str:
        number, letter = match[1], match[2]
        if letter in _ESCAPED:
            return _ESCAPED[letter]
        if number is not None and (code := int(number, 16)) < 0x110000 and not 0xD800 <= code < 0xE000:
            return chr(code)
        line, column = self.tokens.lines[i], self.tokens.columns[i] + 1 + match.start()
        if match[0] != "\\":  # a lone backslash at the end belongs to an unclosed string
            span = Span(self.tokens.file, line, column, line, column + len(match[0]))
            self.findings.append(mistakes.BAD_ESCAPE(span, word=match[0].replace("`", "'")))
        return match[0]

    # ---- items ------------------------------------------------------------------------------------------------------

    def start(self, span: Span, *entries: Entry) -> list[Entry]:
        return list(entries)

    def attribute(self, span: Span, name: tree.Name, args: _Args | None) -> tree.Attribute:
        positional, named = args or ((), ())
        return tree.Attribute(span, name, positional, named)

    def use(self, span: Span, path: tuple[tree.Name, ...], alias: tree.Name | None) -> tree.Use:
        return tree.Use(span, "", (), path, None, alias)

    def use_file(self, span: Span, file: tree.String, alias: tree.Name | None) -> tree.Use:
        return tree.Use(span, "", (), (), file, alias)

    def block(
        self, span: Span, kind: tree.Name, label: tree.Name | tree.String | None, params: tuple[tree.Param, ...] | None,
        clauses: list[On | Extends], body: tuple[tree.AnyItem, ...],
    ) -> tree.Block:  # fmt: skip
        on = tuple(part for clause in clauses if isinstance(clause, On) for part in clause.parts)
        extends = [clause for clause in clauses if isinstance(clause, Extends)]
        for clause in extends[1:]:
            self.findings.append(mistakes.TWICE(clause.span, word="extends"))
        return tree.Block(span, "", (), kind, label, params, on, extends[0].path if extends else (), body, None)

    def inline_block(
        self,
        span: Span,
        kind: tree.Name,
        label: tree.Name | tree.String,
        params: tuple[tree.Param, ...],
        result: tree.Expr,
    ) -> tree.Block:
        return tree.Block(span, "", (), kind, label, params, (), (), (), result)

    def params(self, span: Span, *params: tree.Param | None) -> tuple[tree.Param, ...]:
        given = tuple(param for param in params if param is not None)
        self._once(param.name for param in given)
        return given

    def param(self, span: Span, name: tree.Name, type_: tree.Type | None, default: tree.Expr | None) -> tree.Param:
        return tree.Param(span, name, type_, default)

    def clauses(self, span: Span, *clauses: On | Extends) -> list[On | Extends]:
        return list(clauses)

    def on(self, span: Span, *parts: tree.Expr) -> On:
        return On(span, parts)

    def extends(self, span: Span, path: tuple[tree.Name, ...]) -> Extends:
        return Extends(span, path)

    def body(self, span: Span, *entries: Entry) -> tuple[tree.AnyItem, ...]:
        return attach(entries, self.findings)

    def assign(self, span: Span, path: tuple[tree.Name, ...], value: tree.Expr) -> tree.Assign:
        return tree.Assign(span, "", (), path, value)

    def named(self, span: Span, kind: tree.Name, name: tree.Name, value: tree.Expr) -> tree.Named:
        return tree.Named(span, "", (), kind, name, value)

    def typed(
        self,
        span: Span,
        kind: tree.Name,
        name: tree.Name,
        type_: tree.Type,
        value: tree.Expr | None,
        where: tree.Expr | None,
    ) -> tree.Typed:
        return tree.Typed(span, "", (), kind, name, type_, value, where)

    def bound(
        self, span: Span, kind: tree.Name | None, path: tuple[tree.Name, ...], op: str, value: tree.Expr,
        message: tree.String | None,
    ) -> tree.Bound:  # fmt: skip
        return tree.Bound(span, "", (), kind, path, op, value, message)

    def require(self, span: Span, condition: tree.Expr, message: tree.String | None) -> tree.Require:
        return tree.Require(span, "", (), condition, message)

    def for_(
        self, span: Span, names: tuple[tree.Name, ...], source: tree.Expr, body: tuple[tree.AnyItem, ...]
    ) -> tree.For:
        return tree.For(span, "", (), names, source, body)

    def if_(
        self, span: Span, condition: tree.Expr, body: tuple[tree.AnyItem, ...],
        otherwise: tree.If | tuple[tree.AnyItem, ...] | None,
    ) -> tree.If:  # fmt: skip
        chain = (otherwise,) if isinstance(otherwise, tree.If) else otherwise or ()
        return tree.If(span, "", (), condition, body, chain)

    def type_(self, span: Span, name: tree.Name, args: tuple[tree.Expr, ...] | None) -> tree.Type:
        return tree.Type(span, name, args or ())

    def path(self, span: Span, *names: tree.Name) -> tuple[tree.Name, ...]:
        return names

    names = path

    # ---- expressions ------------------------------------------------------------------------------------------------

    def choice(self, span: Span, condition: tree.Expr, yes: tree.Expr, no: tree.Expr) -> tree.Choice:
        return tree.Choice(span, condition, yes, no)

    def binary(self, span: Span, left: tree.Expr, op: str, right: tree.Expr) -> tree.Binary:
        return tree.Binary(span, mistakes.meant(op), left, right)

    def unary(self, span: Span, op: str, operand: tree.Expr) -> tree.Unary:
        return tree.Unary(span, mistakes.meant(op), operand)

    def member(self, span: Span, object_: tree.Expr, name: tree.Name) -> tree.Member:
        return tree.Member(span, object_, name)

    def call(self, span: Span, function: tree.Expr, args: _Args) -> tree.Call:
        return tree.Call(span, function, *args)

    def index(self, span: Span, object_: tree.Expr, args: tuple[tree.Expr, ...]) -> tree.Index:
        return tree.Index(span, object_, args)

    def list_(self, span: Span, items: tuple[tree.Expr, ...]) -> tree.List:
        return tree.List(span, items)

    def tuple_(self, span: Span, *items: tree.Expr) -> tree.Tuple:
        return tree.Tuple(span, items)

    def comprehension(
        self,
        span: Span,
        element: tree.Expr,
        names: tuple[tree.Name, ...],
        source: tree.Expr,
        condition: tree.Expr | None,
    ) -> tree.Comprehension:
        return tree.Comprehension(span, element, names, source, condition)

    def map_(self, span: Span, entries: tuple[tree.Entry, ...]) -> tree.Map:
        return tree.Map(span, entries)

    def entries(self, span: Span, *entries: tree.Entry | None) -> tuple[tree.Entry, ...]:
        given = tuple(entry for entry in entries if entry is not None)
        self._once(tree.Name(entry.span, entry.key) for entry in given)
        return given

    def entry(self, span: Span, key: tree.Name | tree.String, value: tree.Expr) -> tree.Entry:
        return tree.Entry(span, key.id if isinstance(key, tree.Name) else key.value, value)

    def exprs(self, span: Span, *items: tree.Expr | None) -> tuple[tree.Expr, ...]:
        return tuple(item for item in items if item is not None)

    def kwarg(self, span: Span, name: tree.Name, value: tree.Expr) -> tree.Kwarg:
        return tree.Kwarg(span, name, value)

    def args(self, span: Span, *args: tree.Expr | tree.Kwarg | None) -> _Args:
        named = tuple(arg for arg in args if isinstance(arg, tree.Kwarg))
        positional = tuple(arg for arg in args if arg is not None and not isinstance(arg, tree.Kwarg))
        if named:
            for arg in args[len(positional) :]:
                if arg is not None and not isinstance(arg, tree.Kwarg):
                    self.findings.append(mistakes.POSITIONAL_LAST(arg.span))
            self._once(arg.name for arg in named)
        return positional, named

    def _once(self, names: Iterable[tree.Name]) -> None:
        seen: set[str] = set()
        for name in names:
            if name.id in seen:
                self.findings.append(mistakes.TWICE(name.span, word=name.id))
            seen.add(name.id)


_Args = tuple[tuple[tree.Expr, ...], tuple[tree.Kwarg, ...]]


def attach(entries: Iterable[Entry], findings: list[Finding]) -> tuple[tree.AnyItem, ...]:
    """Give each doc and attribute to the item before it on the same line, else to the next item."""
    items: list[tree.AnyItem] = []
    docs: list[Doc] = []
    attributes: list[tree.Attribute] = []
    for entry in entries:
        behind = bool(items) and not docs and not attributes and items[-1].span.end_line == entry.span.line
        if isinstance(entry, Doc):
            if behind:
                items[-1] = replace(items[-1], doc="\n".join(filter(None, (items[-1].doc, entry.text))))
            else:
                docs.append(entry)
        elif isinstance(entry, tree.Attribute):
            if behind:
                items[-1] = replace(items[-1], attributes=(*items[-1].attributes, entry))
            else:
                attributes.append(entry)
        elif docs or attributes:
            items.append(replace(entry, doc="\n".join(doc.text for doc in docs), attributes=tuple(attributes)))
            docs, attributes = [], []
        else:
            items.append(entry)
    findings.extend(mistakes.DANGLING(attribute.span) for attribute in attributes)
    findings.extend(mistakes.DANGLING_DOC(doc.span) for doc in docs)
    return tuple(items)


def head_doc(entries: list[Any]) -> tuple[str, list[Entry]]:
    """The `##` lines at a file's head that speak of the whole file, and the rest: those before a blank line or a `use`."""
    count = 0
    while count < len(entries) and isinstance(entries[count], Doc):
        count += 1
        after = entries[count] if count < len(entries) else None
        if after is None or isinstance(after, tree.Use) or after.span.line > entries[count - 1].span.line + 1:
            return "\n".join(doc.text for doc in entries[:count]), entries[count:]
    return "", entries


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:20]}..."

"""The kinds of values that keys take: each reads an expression into plain JSON values, or reports why it cannot.

Kinds are never compared or printed, and making the methods for that would be a good part of a short run's time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from detc.semantics.schema.key import Schema
from detc.syntax import tree

if TYPE_CHECKING:
    from detc.semantics.reading import Reader

MISSING: Any = object()
"""What reading gives when it reported a finding instead."""


class Kind:
    """Base of the kinds. `describe` completes "takes ..."."""

    @property
    def describe(self) -> str:
        raise NotImplementedError

    def read(self, expr: tree.Expr, at: Reader, key: str) -> Any:
        """The plain value of `expr` for `key`, or MISSING with a finding reported at its span."""
        raise NotImplementedError

    def read_raw(self, text: str) -> Any:
        """The value of a `--set` text that is taken as it stands; MISSING if this kind wants an expression."""
        return MISSING


@dataclass(eq=False, repr=False)
class Number(Kind):
    """A number in `low .. high` (exclusive ends with `above`, `below`). `unit` is the unit that a remedy shows.

    A key that is itself named by its unit (`epochs = 600`) takes a bare number too: `bare`.
    """

    whole: bool = False
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    unit: str = ""
    bare: bool = False

    @property
    def describe(self) -> str:
        what = "a whole number" if self.whole else "a number"
        what += f" of {self.unit}" if self.unit else ""
        if self.low is not None and self.high is not None and self.high < 2**53:
            return f"{what} in {_plain(self.low)} .. {_plain(self.high)}"
        if self.low is not None and self.below is not None:
            return f"{what} from {self.low:g} to below {self.below:g}"
        if self.above is not None and self.below is not None:
            return f"{what} between {self.above:g} and {self.below:g}"
        if self.above is not None and self.high is not None:
            return f"{what} above {self.above:g} and up to {self.high:g}"
        if self.low is not None:
            return f"{what} of at least {self.low:g}"
        if self.above is not None:
            return f"{what} above {self.above:g}"
        return what

    def read(self, expr: tree.Expr, at: Reader, key: str) -> Any:
        measured = at.number(expr, key, self.describe)
        if measured is MISSING:
            return MISSING
        number, dimension = measured
        if self.unit:
            wanted = at.dimension_of(self.unit)
            if dimension is None and not self.bare:
                return at.missing_unit(expr, key, self.describe, f"{at.text(expr)} {self.unit}")
            if dimension not in (None, wanted):
                return at.wrong_unit(expr, key, dimension, f"a number of {self.unit}")
        elif dimension is not None and dimension != "relative":
            return at.wrong_unit(expr, key, dimension, "a number without unit")
        if not self.holds(number):
            return at.wrong(expr, key, self.describe)
        return int(number) if self.whole else number

    def holds(self, value: Any) -> bool:
        """Whether a plain value is such a number."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return False
        return (
            (not self.whole or value == int(value))
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )


def _plain(number: float) -> str:
    """A number as a user would type it: 1000000, not 1e+06."""
    return str(int(number)) if number == int(number) else f"{number:g}"


@dataclass(eq=False, repr=False)
class Flag(Kind):
    @property
    def describe(self) -> str:
        return "true or false"

    def read(self, expr: tree.Expr, at: Reader, key: str) -> Any:
        value = at.value(expr)
        return value if value is MISSING or isinstance(value, bool) else at.wrong(expr, key, self.describe)


@dataclass(eq=False, repr=False)
class Text(Kind):
    """A string; with `path`, also `path("...")`. `--set` gives it without quotes."""

    path: bool = False

    @property
    def describe(self) -> str:
        return 'a path such as path("data/mine")' if self.path else "a string in quotes"

    def read(self, expr: tree.Expr, at: Reader, key: str) -> Any:
        if (
            self.path
            and isinstance(expr, tree.Call)
            and isinstance(expr.function, tree.Name)
            and expr.function.id == "path"
        ):
            if len(expr.args) == 1 and not expr.kwargs:
                return self.read(expr.args[0], at, key)
            return at.wrong(expr, key, self.describe)
        value = at.plain(expr) if self.path else at.value(expr)
        if value is MISSING:
            return MISSING
        if not isinstance(value, str) or (self.path and (not value or "\0" in value)):
            return at.wrong(expr, key, self.describe)
        return value

    def read_raw(self, text: str) -> Any:
        return text if text and '"' not in text and not text.startswith("path(") else MISSING


@dataclass(eq=False, repr=False)
class Word(Kind):
    """One of a few words, such as `bf16`; a string or a parameter holding one will do too."""

    words: tuple[str, ...]

    @property
    def describe(self) -> str:
        return "one of " + ", ".join(self.words)

    def read(self, expr: tree.Expr, at: Reader, key: str) -> Any:
        if isinstance(expr, tree.Name) and (expr.id in self.words or not at.bound(expr.id)):
            return expr.id if expr.id in self.words else at.unknown_word(expr, key, expr.id, self.words)
        value = at.plain(expr)
        if value is None and "none" in self.words:  # the language's own `none`
            return "none"
        if value is MISSING or (isinstance(value, str) and value in self.words):
            return value
        return at.unknown_word(expr, key, value if isinstance(value, str) else at.text(expr), self.words)


@dataclass(eq=False, repr=False)
class Maybe(Kind):
    """`none`, or a value of `kind`."""

    kind: Kind

    @property
    def describe(self) -> str:
        return f"{self.kind.describe}, or none"

    def read(self, expr: tree.Expr, at: Reader, key: str) -> Any:
        if isinstance(expr, tree.Constant) and expr.value is None:
            return None
        return self.kind.read(expr, at, key)

    def read_raw(self, text: str) -> Any:
        return MISSING if text == "none" else self.kind.read_raw(text)


@dataclass(eq=False, repr=False)
class ListOf(Kind):
    """A list of values of `kind`; `single` takes one value for a list of one."""

    kind: Kind
    single: bool = False
    least: int = 0
    length: int | None = None

    @property
    def describe(self) -> str:
        return f"a list{'' if self.length is None else f' of {self.length}'}, each {self.kind.describe}"

    def read(self, expr: tree.Expr, at: Reader, key: str) -> Any:
        if isinstance(expr, (tree.List, tree.Tuple)):
            values = [self.kind.read(item, at, key) for item in expr.items]
            if any(value is MISSING for value in values):
                return MISSING
        elif self.single and not isinstance(expr, tree.Comprehension):
            value = self.kind.read(expr, at, key)
            return MISSING if value is MISSING else [value]
        else:
            evaluated = at.value(expr)
            if evaluated is MISSING:
                return MISSING
            values = _listed(evaluated)
            if not isinstance(values, list) or not all(self.fits(item) for item in values):
                return at.wrong(expr, key, self.describe)
        if len(values) < self.least:
            return at.wrong(expr, key, f"a list of at least {self.least}")
        return values if self.length in (None, len(values)) else at.wrong(expr, key, self.describe)

    def fits(self, item: Any) -> bool:
        """Whether a value that an expression gave (not written item by item) is of the kind."""
        if isinstance(self.kind, Text):
            return isinstance(item, str)
        if isinstance(self.kind, Word):
            return isinstance(item, str) and item in self.kind.words
        return isinstance(self.kind, (Number, ListOf)) and self.kind.holds(item)

    def holds(self, value: Any) -> bool:
        """Whether a plain value is such a list."""
        return (
            isinstance(value, list)
            and len(value) >= self.least
            and self.length in (None, len(value))
            and all(self.fits(item) for item in value)
        )


def _listed(value: Any) -> Any:
    """The value with lists for tuples, at any depth."""
    return [_listed(item) for item in value] if isinstance(value, (list, tuple)) else value


@dataclass(eq=False, repr=False)
class Span(Kind):
    """A range `low .. high`, as [low, high]. With `around`, one number a gives [around - a, around + a]."""

    low: float
    high: float
    around: float | None = None
    whole: bool = False

    @property
    def describe(self) -> str:
        return f"a range inside {self.low:g} .. {self.high:g}"

    def read(self, expr: tree.Expr, at: Reader, key: str) -> Any:
        ends = at.range(expr, key, self.describe, self.around)
        if ends is MISSING:
            return MISSING
        if not self.low <= ends[0] <= ends[1] <= self.high or (self.whole and any(end != int(end) for end in ends)):
            return at.wrong(expr, key, self.describe)
        return [int(end) for end in ends] if self.whole else list(ends)


@dataclass(eq=False, repr=False)
class Choice(Kind):
    """A call of one of a few names: `sgd(lr = 1e-3)` or `constant`; gives {"name": .., its keys}."""

    calls: Mapping[str, Schema]

    @property
    def describe(self) -> str:
        return "one of " + ", ".join(self.calls)

    def read(self, expr: tree.Expr, at: Reader, key: str) -> Any:
        function = expr.function if isinstance(expr, tree.Call) else expr
        if not isinstance(function, tree.Name):
            return at.wrong(expr, key, self.describe)
        schema = self.calls.get(function.id)
        if schema is None:
            return at.unknown_word(function, key, function.id, tuple(self.calls))
        values = at.arguments(schema, expr)
        return MISSING if values is MISSING else {"name": function.id, **values}


@dataclass(eq=False, repr=False)
class Either(Kind):
    """A word that stands for a whole value (`none`, `auto`), else a value of `kind`."""

    words: Mapping[str, Any]
    kind: Kind

    @property
    def describe(self) -> str:
        return f"{self.kind.describe}, or {' or '.join(self.words)}"

    def read(self, expr: tree.Expr, at: Reader, key: str) -> Any:
        if isinstance(expr, tree.Name) and expr.id in self.words:
            return self.words[expr.id]
        return self.kind.read(expr, at, key)


@dataclass(eq=False, repr=False)
class Dotted(Kind):
    """A dotted name taken as it stands, such as `imagenet.classify.best`; what it refers to is looked up later."""

    what: str

    @property
    def describe(self) -> str:
        return self.what

    def read(self, expr: tree.Expr, at: Reader, key: str) -> Any:
        path = dotted(expr)
        return at.wrong(expr, key, self.describe) if path is None else path


@dataclass(eq=False, repr=False)
class Anything(Kind):
    """Any plain value: numbers, words, strings, lists, maps."""

    @property
    def describe(self) -> str:
        return "a plain value"

    def read(self, expr: tree.Expr, at: Reader, key: str) -> Any:
        return at.plain(expr)


def dotted(expr: tree.Expr) -> str | None:
    """`a.b.c` of names and members; None for anything else. A string is taken too."""
    if isinstance(expr, tree.Name):
        return expr.id
    if isinstance(expr, tree.String):
        return expr.value
    if isinstance(expr, tree.Member):
        front = dotted(expr.object)
        return None if front is None else f"{front}.{expr.name.id}"
    return None

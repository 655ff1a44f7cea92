"""Naming the numbers in which the instances of a class differ: the arguments of its constructor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from detc.codegen.doc import MISSING, NONE_GIVEN, Hole
from detc.codegen.names import identifier, unique
from detc.codegen.spelling import SHORT, WORDS, family, literal

WIDTHS = frozenset(("in_channels", "out_channels", "num_features", "in_features", "out_features"))
"""Roles of a number of channels: such a parameter comes first, by position, and has no default."""

FACTORS = (2, 3, 4, 5, 6, 8)
"""Multiples and fractions of another parameter that are worth saying as such."""

Vector = tuple[Any, ...]
"""One value an instance; MISSING where the instance has no such part."""


@dataclass(slots=True)
class Parameter:
    """An argument of a constructor: `values` by instance."""

    name: str
    family: str
    values: Vector
    rank: int
    roles: set[str] = field(default_factory=set)
    default: Any = NONE_GIVEN

    @property
    def role(self) -> str:
        """What a caller's literal in this place is to torch."""
        if self.family == "channels":
            return "in_channels" if self.rank < 0 else next(iter(sorted(self.roles)), "out_channels")
        return next(iter(sorted(self.roles)), self.family)

    @property
    def positional(self) -> bool:
        return self.default is NONE_GIVEN and bool(self.roles & WIDTHS)

    def declaration(self) -> str:
        words = sorted({_annotation(v) for v in self.values})
        default = "" if self.default is NONE_GIVEN else f" = {literal(self.default)}"
        return f"{self.name}: {' | '.join(words)}{default}"


@dataclass(frozen=True, slots=True)
class Known:
    """A value with a name in the spec: a parameter of the block (`rank` from 0) or the width of an input (below 0)."""

    name: str
    values: Vector
    rank: int


class Naming:
    """Finds a text for every hole of a class whose instances have the given vectors of values."""

    def __init__(self, params: Sequence[Known], inputs: Sequence[Known]) -> None:
        self.params = params
        self.inputs = inputs
        self.made: list[Parameter] = []

    def text(self, hole: Hole, vector: Vector, defaults: Vector) -> str | None:
        """The literal, the parameter or the expression for a hole; None where the argument is left out everywhere."""
        present = [(v, d) for v, d in zip(vector, defaults, strict=True) if v is not MISSING]
        if all(_same(v, d) for v, d in present):
            return None
        if all(_same(v, present[0][0]) for v, _ in present):
            return literal(present[0][0])
        kind = family(hole.role)
        found = self.named(kind, vector)
        if found is None and (text := self.derived(kind, vector)):
            return text
        parameter = self.parameter(found or self.fresh(hole, vector), kind)
        parameter.roles.add(hole.role)
        return parameter.name

    def named(self, kind: str, vector: Vector) -> Known | None:
        """What the spec or an earlier hole calls these values."""
        for known in self.candidates(kind):
            if _matches(vector, known.values):
                return known
        for made in self.made:
            if made.family == kind and _matches(vector, made.values):
                return Known(made.name, made.values, made.rank)
        return None

    def candidates(self, kind: str) -> Iterator[Known]:
        words = WORDS.get(kind, ())
        others = {w for k, ws in WORDS.items() if k != kind for w in ws}
        yield from (p for p in self.params if p.name in words)
        yield from (p for p in self.params if p.name not in words and p.name not in others)
        if kind == "channels":
            yield from (p for p in self.params if p.name == "groups")
            yield from self.inputs

    def derived(self, kind: str, vector: Vector) -> str | None:
        """`k // 2` for a padding, `n - 1` for a count, `4 * c` or `c // 2` for channels."""
        if kind == "padding":
            for known in self.sources("kernel"):
                if _matches(vector, tuple(_half(v) for v in known.values)):
                    return f"{self.parameter(known, 'kernel', 'kernel_size').name} // 2"
        if kind == "count":
            for known in self.candidates("count"):
                if _matches(vector, tuple(v - 1 if type(v) is int else None for v in known.values)):
                    return f"{self.parameter(known, 'count', 'count').name} - 1"
        if kind == "channels":
            for known in self.sources("channels"):
                if not all(type(v) is int for v in known.values):
                    continue
                for factor in FACTORS:
                    if _matches(vector, tuple(factor * v for v in known.values)):
                        return f"{factor} * {self.parameter(known, kind, 'in_channels').name}"
                    if _matches(vector, tuple(v / factor for v in known.values)):
                        return f"{self.parameter(known, kind, 'in_channels').name} // {factor}"
        return None

    def sources(self, kind: str) -> Iterator[Known]:
        """Names that an expression of this kind may build on: those in use first."""
        yield from (Known(m.name, m.values, m.rank) for m in self.made if m.family == kind)
        yield from self.candidates(kind)

    def fresh(self, hole: Hole, vector: Vector) -> Known:
        taken = {m.name for m in self.made} | {k.name for k in (*self.params, *self.inputs)}
        short = hole.hint or SHORT.get(hole.role, hole.role)
        name = identifier(short if short not in taken else f"{hole.owner}_{short}")
        value = next(v for v in vector if v is not MISSING)
        values = tuple(value if v is MISSING else v for v in vector)
        return Known(unique(name, taken), values, 1000 + len(self.made))

    def parameter(self, known: Known, kind: str, role: str = "") -> Parameter:
        parameter = next((m for m in self.made if m.name == identifier(known.name)), None)
        if parameter is None:
            parameter = Parameter(identifier(known.name), kind, known.values, known.rank)
            self.made.append(parameter)
        parameter.roles |= {role} - {""}
        return parameter

    def parameters(self) -> list[Parameter]:
        """In the order of the signature: widths, what else must be given, what has a default (its most common value)."""
        for parameter in self.made:
            value, count = Counter(map(_key, parameter.values)).most_common(1)[0]
            if not parameter.roles & (WIDTHS | {"count"}) and 2 * count > len(parameter.values):
                parameter.default = value[1]
        return sorted(self.made, key=lambda m: (m.default is not NONE_GIVEN, not m.positional, m.rank))


def _annotation(value: Any) -> str:
    if isinstance(value, tuple):
        return f"tuple[{', '.join(map(_annotation, value))}]"
    return "None" if value is None else type(value).__name__


def _key(value: Any) -> tuple[str, Any]:
    return type(value).__name__, value


def _same(a: Any, b: Any) -> bool:
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def _matches(vector: Vector, known: Vector) -> bool:
    return all(v is MISSING or _same(v, k) for v, k in zip(vector, known, strict=True))


def _half(value: Any) -> Any:
    return value // 2 if type(value) is int else None

"""Text with holes for numbers: blocks that differ only in numbers become one block with parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_SHORT = {"channels": "c", "features": "c", "times": "n"}
_ALWAYS = ("c", "n")
"""Parameters that are given by their place where they come first: `conv_bn(32)`."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number in a text; `hint` is the argument that it is given to."""

    text: str
    hint: str


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """The arguments of a block after its tensors, of which only those that vary are written. `behind` says whether others
    stand before them."""

    block: Block
    values: tuple[Value, ...]
    behind: bool


@dataclass(frozen=True, slots=True)
class Args:
    """The arguments of an op, `behind` its tensors or alone: (name, or empty for the first; a Value or fixed text; the default
    that goes without saying)."""

    items: tuple[tuple[str, Value | str, str | None], ...]
    behind: bool = False


Piece = str | Value | Args | Call
Text = tuple[Piece, ...]


def flat(text: Text) -> Iterator[Value]:
    """All values in a text, those of its calls too."""
    for piece in text:
        if isinstance(piece, Value):
            yield piece
        elif isinstance(piece, Args):
            yield from (value for _, value, _ in piece.items if isinstance(value, Value))
        elif isinstance(piece, Call):
            yield from piece.values


def skeleton(text: Text) -> tuple[object, ...]:
    """The text without its values: equal for texts that can be one block."""
    return tuple(_bare(piece) for piece in text)


def _bare(piece: Piece) -> object:
    if isinstance(piece, str):
        return piece
    if isinstance(piece, Value):
        return (piece.hint,)
    if isinstance(piece, Args):
        shown = (
            (name, value if isinstance(value, str) else (value.hint,), usual) for name, value, usual in piece.items
        )
        return (piece.behind, *shown)
    return (id(piece.block), piece.behind)


@dataclass(slots=True, eq=False)
class Block:
    """A block of the spec: its name, the names of its tensors, its text, and the values of every instance."""

    name: str
    tensors: tuple[str, ...]
    text: Text
    doc: str = ""
    instances: list[tuple[Value, ...]] = field(default_factory=list)
    params: list[tuple[str, int, str]] = field(default_factory=list)
    """(name, first column, most common value), when all instances are known."""
    names: list[str] = field(default_factory=list)
    """What stands in each column: a parameter's name, or the value that all instances have."""

    def settle(self, taken: frozenset[str]) -> None:
        """Decides on the parameters. Blocks are settled after those that they call."""
        columns = [tuple(value.text for value in column) for column in zip(*self.instances, strict=True)]
        known: dict[tuple[str, ...], str] = {}
        used = {*self.tensors, *taken}
        for number, column in enumerate(columns):
            if len(set(column)) == 1:
                self.names.append(column[0])
                continue
            if column not in known:
                hint = self.instances[0][number].hint
                known[column] = name = _free(_SHORT.get(hint, hint), used)
                used.add(name)
                self.params.append((name, number, Counter(column).most_common(1)[0][0]))
            self.names.append(known[column])

    def definition(self) -> str:
        params = [
            name if number == 0 and name in _ALWAYS else f"{name} = {common}"
            for number, (name, _, common) in enumerate(self.params)
        ]
        head = f"block {self.name}({', '.join((*self.tensors, *params))})"
        return f"{self.doc}{head} {render(self.text, self.names)}\n"

    def arguments(self, values: Sequence[str]) -> str:
        """The arguments for an instance with these values (or names of parameters around it)."""
        shown = []
        for number, (name, column, common) in enumerate(self.params):
            if number == 0 and name in _ALWAYS:
                shown.append(values[column])
            elif values[column] != common:
                shown.append(f"{name} = {values[column]}")
        return ", ".join(shown)


def render(text: Text, values: Sequence[str] | None = None) -> str:
    """The text with `values` in its holes, one a value of `flat`; with its own values where none are given."""
    given = iter(values if values is not None else [value.text for value in flat(text)])
    return "".join(_rendered(piece, given) for piece in text)


def _rendered(piece: Piece, given: Iterator[str]) -> str:
    if isinstance(piece, str):
        return piece
    if isinstance(piece, Value):
        return next(given)
    if isinstance(piece, Args):
        shown = [
            (name, next(given) if isinstance(value, Value) else value, usual) for name, value, usual in piece.items
        ]
        inner = ", ".join(f"{name} = {text}" if name else text for name, text, usual in shown if text != usual)
    else:
        inner = piece.block.arguments([next(given) for _ in piece.values])
    if piece.behind:
        return f", {inner})" if inner else ")"
    return f"({inner})" if inner else ""


def _free(name: str, used: set[str]) -> str:
    number, result = 1, name
    while result in used:
        number += 1
        result = f"{name}{number}"
    return result

"""The syntax tree: frozen nodes, each with the span it was read from. It knows shapes of text, nothing of nets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

from detc.diagnostics.span import Span

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, eq_default=False)
def node(cls: type[_T]) -> type[_T]:
    """A frozen, slotted dataclass whose comparison and text come from Node: a third of the start-up of generated ones."""
    return dataclass(frozen=True, slots=True, eq=False, repr=False)(cls)


@node
class Node:
    """Equal to a node of the same class with equal fields, the span among them."""

    span: Span

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in type(self).__match_args__)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in type(self).__match_args__)))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in type(self).__match_args__)
        return f"{type(self).__name__}({fields})"


# ---- expressions ----------------------------------------------------------------------------------------------------


@node
class Name(Node):
    id: str


@node
class Number(Node):
    """`value` is an int if the text has neither point nor exponent."""

    value: int | float
    text: str


@node
class Quantity(Node):
    """A number with its unit, as written: `640 KiB` is (640, "KiB")."""

    value: int | float
    unit: str
    text: str


@node
class Dims(Node):
    """`3x3`"""

    values: tuple[int, ...]


@node
class String(Node):
    value: str


@node
class Constant(Node):
    """`true`, `false` or `none`."""

    value: bool | None


@node
class List(Node):
    items: tuple[Expr, ...]


@node
class Tuple(Node):
    items: tuple[Expr, ...]


@node
class Entry(Node):
    key: str
    value: Expr


@node
class Map(Node):
    entries: tuple[Entry, ...]


@node
class Comprehension(Node):
    """`[element for names in source if condition]`"""

    element: Expr
    names: tuple[Name, ...]
    source: Expr
    condition: Expr | None


@node
class Member(Node):
    """`object.name`"""

    object: Expr
    name: Name


@node
class Kwarg(Node):
    name: Name
    value: Expr


@node
class Call(Node):
    function: Expr
    args: tuple[Expr, ...]
    kwargs: tuple[Kwarg, ...]


@node
class Index(Node):
    """`object[args]`; a slice is an index by a Range."""

    object: Expr
    args: tuple[Expr, ...]


@node
class Unary(Node):
    """`op` is "-" or "not"."""

    op: str
    operand: Expr


@node
class Binary(Node):
    """`op` is one of + - * / // == != <= >= < > in and or |> .. (the last is an inclusive range)."""

    op: str
    left: Expr
    right: Expr


@node
class Choice(Node):
    """`if condition then yes else no`"""

    condition: Expr
    yes: Expr
    no: Expr


Expr = (
    Name | Number | Quantity | Dims | String | Constant | List | Tuple | Map | Comprehension
    | Member | Call | Index | Unary | Binary | Choice
)  # fmt: skip


# ---- items ----------------------------------------------------------------------------------------------------------


@node
class Attribute(Node):
    """`@name(args)`, attached to the item it speaks of."""

    name: Name
    args: tuple[Expr, ...]
    kwargs: tuple[Kwarg, ...]


@node
class Item(Node):
    """Any item. `doc` is the text of its `##` lines, `attributes` its `@` lines (before it, or after it on its last line)."""

    doc: str
    attributes: tuple[Attribute, ...]


@node
class Use(Item):
    """`use std.blocks as b` (path) or `use "mine.det"` (file)."""

    path: tuple[Name, ...]
    file: String | None
    alias: Name | None


@node
class Type(Node):
    """`u8[3, 448, 448]`"""

    name: Name
    args: tuple[Expr, ...]


@node
class Param(Node):
    name: Name
    type: Type | None
    default: Expr | None


@node
class Block(Item):
    """`kind label(params) on a, b extends path { items }`; `result` instead of `items` for `block f(x) = expr`.

    `params` is None where there are no parentheses at all.
    """

    kind: Name
    label: Name | String | None
    params: tuple[Param, ...] | None
    on: tuple[Expr, ...]
    extends: tuple[Name, ...]
    items: tuple[AnyItem, ...]
    result: Expr | None


@node
class Assign(Item):
    """`batch = 16`, `a.b = 1`"""

    path: tuple[Name, ...]
    value: Expr


@node
class Named(Item):
    """`let x = ..`, `output y = ..`, `quantize weights = masks`, `memory dtcm = none`"""

    kind: Name
    name: Name
    value: Expr


@node
class Typed(Item):
    """`input frame: u8[3, 448, 448] = camera(..)`, `param classes: int = 20 where classes in 1 .. 246`"""

    kind: Name
    name: Name
    type: Type
    value: Expr | None
    where: Expr | None


@node
class Bound(Item):
    """`limit majors <= 7 else "..."`, `k in [1x1, 3x3]`, `ram <= 4 KiB`. `op` is a comparison or "in"."""

    kind: Name | None
    path: tuple[Name, ...]
    op: str
    value: Expr
    message: String | None


@node
class Require(Item):
    condition: Expr
    message: String | None


@node
class For(Item):
    names: tuple[Name, ...]
    source: Expr
    items: tuple[AnyItem, ...]


@node
class If(Item):
    condition: Expr
    items: tuple[AnyItem, ...]
    otherwise: tuple[AnyItem, ...]


AnyItem = Use | Block | Assign | Named | Typed | Bound | Require | For | If


@node
class File(Node):
    """A whole `.det` file; `doc` is the text of the `##` lines at its head that no item claims."""

    doc: str
    items: tuple[AnyItem, ...]

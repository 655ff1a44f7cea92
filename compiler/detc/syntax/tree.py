"""The syntax tree: frozen nodes, each with the span it was read from. It knows shapes of text, nothing of nets."""

from __future__ import annotations

from dataclasses import dataclass

from detc.diagnostics.span import Span


@dataclass(frozen=True, slots=True)
class Node:
    span: Span


# ---- expressions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name(Node):
    id: str


@dataclass(frozen=True, slots=True)
class Number(Node):
    """`value` is an int if the text has neither point nor exponent."""

    value: int | float
    text: str


@dataclass(frozen=True, slots=True)
class Quantity(Node):
    """A number with its unit, as written: `640 KiB` is (640, "KiB")."""

    value: int | float
    unit: str
    text: str


@dataclass(frozen=True, slots=True)
class Dims(Node):
    """`3x3`"""

    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class String(Node):
    value: str


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """`true`, `false` or `none`."""

    value: bool | None


@dataclass(frozen=True, slots=True)
class List(Node):
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Tuple(Node):
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Entry(Node):
    key: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Map(Node):
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Comprehension(Node):
    """`[element for names in source if condition]`"""

    element: Expr
    names: tuple[Name, ...]
    source: Expr
    condition: Expr | None


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`object.name`"""

    object: Expr
    name: Name


@dataclass(frozen=True, slots=True)
class Kwarg(Node):
    name: Name
    value: Expr


@dataclass(frozen=True, slots=True)
class Call(Node):
    function: Expr
    args: tuple[Expr, ...]
    kwargs: tuple[Kwarg, ...]


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`object[args]`; a slice is an index by a Range."""

    object: Expr
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`op` is "-" or "not"."""

    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`op` is one of + - * / // == != <= >= < > in and or |> .. (the last is an inclusive range)."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """`@name(args)`, attached to the item it speaks of."""

    name: Name
    args: tuple[Expr, ...]
    kwargs: tuple[Kwarg, ...]


@dataclass(frozen=True, slots=True)
class Item(Node):
    """Any item. `doc` is the text of its `##` lines, `attributes` its `@` lines (before it, or after it on its last line)."""

    doc: str
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Use(Item):
    """`use std.blocks as b` (path) or `use "mine.det"` (file)."""

    path: tuple[Name, ...]
    file: String | None
    alias: Name | None


@dataclass(frozen=True, slots=True)
class Type(Node):
    """`u8[3, 448, 448]`"""

    name: Name
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Param(Node):
    name: Name
    type: Type | None
    default: Expr | None


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Assign(Item):
    """`batch = 16`, `a.b = 1`"""

    path: tuple[Name, ...]
    value: Expr


@dataclass(frozen=True, slots=True)
class Named(Item):
    """`let x = ..`, `output y = ..`, `quantize weights = masks`, `memory dtcm = none`"""

    kind: Name
    name: Name
    value: Expr


@dataclass(frozen=True, slots=True)
class Typed(Item):
    """`input frame: u8[3, 448, 448] = camera(..)`, `param classes: int = 20 where classes in 1 .. 246`"""

    kind: Name
    name: Name
    type: Type
    value: Expr | None
    where: Expr | None


@dataclass(frozen=True, slots=True)
class Bound(Item):
    """`limit majors <= 7 else "..."`, `k in [1x1, 3x3]`, `ram <= 4 KiB`. `op` is a comparison or "in"."""

    kind: Name | None
    path: tuple[Name, ...]
    op: str
    value: Expr
    message: String | None


@dataclass(frozen=True, slots=True)
class Require(Item):
    condition: Expr
    message: String | None


@dataclass(frozen=True, slots=True)
class For(Item):
    names: tuple[Name, ...]
    source: Expr
    items: tuple[AnyItem, ...]


@dataclass(frozen=True, slots=True)
class If(Item):
    condition: Expr
    items: tuple[AnyItem, ...]
    otherwise: tuple[AnyItem, ...]


AnyItem = Use | Block | Assign | Named | Typed | Bound | Require | For | If


@dataclass(frozen=True, slots=True)
class File(Node):
    """A whole `.det` file; `doc` is the text of the `##` lines at its head that no item claims."""

    doc: str
    items: tuple[AnyItem, ...]

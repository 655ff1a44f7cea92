"""What expressions evaluate to: numbers, quantities, ranges, words, tensors, functions of tensors, instances of blocks.

Plain Python values stand for themselves: bool, int, float, str, None, list, dict, tuple (`3x3` is the tuple (3, 3)).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from detc.diagnostics import Span
from detc.ir.types import TensorType
from detc.semantics.layers import FUNCTIONS, Native

if TYPE_CHECKING:
    from detc.semantics.build import Made


class Broken:
    """The value of an expression whose mistake is reported already; whatever uses it is broken too, without another word."""

    def __repr__(self) -> str:
        return "BROKEN"


BROKEN: Final = Broken()

Value = Any
"""Any of the classes here, a plain Python value, or BROKEN."""


# ---- plain values ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Quantity:
    """A number with a unit, in the base unit of its `dimension`: `640 KiB` is (655360, "bytes"), `10 %` is (0.1, "relative")."""

    value: int | float
    dimension: str


@dataclass(frozen=True, slots=True)
class Range:
    """`low .. high`, both ends included. In base units where `dimension` is not empty."""

    low: int | float
    high: int | float
    dimension: str = ""

    def __contains__(self, value: object) -> bool:
        if isinstance(value, Quantity):
            return value.dimension == self.dimension and self.low <= value.value <= self.high
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return not self.dimension and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Symbol:
    """A word that stands for itself where an argument takes words: `same`, `bgr`, `balanced`; called, it makes a Term."""

    name: str
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Term:
    """A word with arguments that a section or an argument takes: `masked(3 bits)`, `sgd(lr = 1e-3)`, `bias(-4.6)`."""

    name: str
    args: tuple[Value, ...] = ()
    kwargs: tuple[tuple[str, Value], ...] = ()
    span: Span | None = field(default=None, compare=False)
    spans: tuple[Span, ...] = field(default=(), compare=False)
    """Where each argument stands: those of `args`, then those of `kwargs`."""


@dataclass(frozen=True, slots=True)
class PathText:
    """`path("data/mine")`: a path as written, relative to the folder of the spec."""

    text: str


class Items(list[Value]):
    """A list of the language. `size` counts everything in it, nested lists included; `depth` is how deep they nest."""

    __slots__ = ("depth", "size")

    def __init__(self, items: Iterable[Value] = ()) -> None:
        super().__init__(items)
        self.size, self.depth = extent(self)


class Entries(dict[str, Value]):
    """A map of the language, with the same two counts."""

    __slots__ = ("depth", "size")

    def __init__(self, entries: Mapping[str, Value]) -> None:
        super().__init__(entries)
        self.size, self.depth = extent(self.values())


class Group(tuple[Value, ...]):
    """A tuple of the language (`(1, 2)` and, as Dims, `3x3`), with the same two counts."""

    size: int
    depth: int

    def __new__(cls, items: Iterable[Value]) -> Group:
        group = super().__new__(cls, items)
        group.size, group.depth = extent(group)
        return group


class Dims(Group):
    """`3x3`: a tuple of whole numbers that prints as it is written."""

    def __str__(self) -> str:
        return "x".join(map(str, self))


def extent(items: Iterable[Value]) -> tuple[int, int]:
    """How many values `items` hold in all, and how deep they nest."""
    size, depth = 0, 1
    for item in items:
        if isinstance(item, (Items, Entries, Group)):
            size += item.size
            depth = max(depth, item.depth + 1)
        size += 1
    return size, depth


# ---- tensors and instances ------------------------------------------------------------------------------------------

TENSOR_ATTRIBUTES = ("channels", "height", "width", "shape", "dtype")


@dataclass(frozen=True, slots=True, eq=False)
class TensorRef:
    """A tensor of the graph that is being built; `name` is known once the model is complete."""

    made: Made

    @property
    def type(self) -> TensorType:
        return self.made.type

    @property
    def name(self) -> str:
        return self.made.path


@dataclass(slots=True, eq=False)
class BlockInstance:
    """What applying a block gives: all its lets and outputs by name. It stands for `default` where a tensor is needed."""

    block: str
    members: dict[str, Value] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()

    @property
    def default(self) -> Value:
        """The only output, else the first; BROKEN if there is none."""
        return self.members[self.outputs[0]] if self.outputs else BROKEN


@dataclass(slots=True, eq=False)
class Namespace:
    """What `use` binds, and libraries such as `imagenet`. An `open` one takes any word for a member (`data.voc`)."""

    name: str
    members: Mapping[str, Value]
    open: bool = False


# ---- asking values --------------------------------------------------------------------------------------------------


def as_tensor(value: Value) -> TensorRef | None:
    """The tensor that a value stands for: itself, or the default output of an instance; None if it is none."""
    for _ in range(64):
        if isinstance(value, TensorRef):
            return value
        if not isinstance(value, BlockInstance):
            return None
        value = value.default
    return None


def tensors_in(value: Value) -> Iterator[TensorRef]:
    """All tensors in a value, in order: its own, those of its list, of their lists."""
    tensor = as_tensor(value)
    if tensor is not None:
        yield tensor
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)


def is_tensor_like(value: Value) -> bool:
    """True for a tensor, an instance, and a list that begins with one."""
    if isinstance(value, (list, tuple)) and value:
        return is_tensor_like(value[0])
    return isinstance(value, (TensorRef, BlockInstance))


def is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_broken(value: Value) -> bool:
    """True for BROKEN and for a list that holds it."""
    if isinstance(value, (list, tuple)):
        return any(is_broken(item) for item in value)
    return value is BROKEN


def describe(value: Value) -> str:
    """A value as a sentence names it: `a tensor f32[64, 28, 28]`, `3 bits`, `a list of 4`."""
    if isinstance(value, (TensorRef, BlockInstance)):
        tensor = as_tensor(value)
        return f"a tensor {tensor.type}" if tensor else "an instance without output"
    if isinstance(value, FUNCTIONS):
        return f"the layer `{value.name}`, which is not applied to a tensor"
    if isinstance(value, Native):
        return f"the function `{value.name}`"
    if isinstance(value, Namespace):
        return f"the library `{value.name}`"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, Quantity):
        return f"{value.value:g} {value.dimension}"
    if isinstance(value, Range):
        return f"{value.low:g} .. {value.high:g}"
    if isinstance(value, Dims):
        return str(value)
    if isinstance(value, (Symbol, Term)):
        return f"`{value.name}`"
    if isinstance(value, str):
        return f'the string "{value[:40]}"'
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "a map"
    if is_number(value):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return f"a {type(value).__name__.lower()}"


def plain(value: Value) -> Any:
    """A value as plain data for scopes and options: quantities and ranges lose their unit, dims become pairs, words strings.

    A tensor becomes its name, and so must not be asked for before the model is complete.
    """
    if isinstance(value, Quantity):
        return value.value
    if isinstance(value, Range):
        return (value.low, value.high)
    if isinstance(value, Symbol):
        return value.name
    if isinstance(value, PathText):
        return value.text
    if isinstance(value, Term):
        return (value.name, *(plain(v) for v in value.args), *((k, plain(v)) for k, v in value.kwargs))
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    tensor = as_tensor(value)
    if tensor is not None:
        return tensor.name
    if isinstance(value, FUNCTIONS):
        return value.name
    return value

"""Functions as values: library functions, and layers that wait for their tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from detc.diagnostics import Span

if TYPE_CHECKING:
    from detc.ir.op import Op
    from detc.semantics.environment import Environment
    from detc.semantics.values import Value
    from detc.syntax import tree


@dataclass(frozen=True, slots=True, eq=False)
class Native:
    """A function of plain values, written in Python: `call(Invocation) -> Value` (see functions.py).

    It takes `least` to `most` arguments by their order and the `keywords` by name; `words` are what its arguments may
    say besides values.
    """

    name: str
    call: Callable[[Any], Value]
    least: int = 1
    most: int = 1
    keywords: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class OpFunction:
    """An op waiting for its tensors. `given` holds its arguments, defaults filled in, `written` where those in the text stand.

    `partial` are tensors given already; the one that is piped in comes before them. `span` is None for the bare name in
    a library.
    """

    op: type[Op]
    given: Mapping[str, Any]
    written: Mapping[str, Span] = field(default_factory=dict)
    span: Span | None = None
    partial: tuple[Value, ...] = ()

    @property
    def name(self) -> str:
        return self.op.name


@dataclass(frozen=True, slots=True, eq=False)
class BlockFunction:
    """A block waiting for its tensor. `args` fill its parameters after the first, `kwargs` go by name. `span` is None for the
    definition itself, else where it was named or called."""

    definition: tree.Block
    home: Environment
    args: tuple[tuple[Value, Span], ...] = ()
    kwargs: Mapping[str, tuple[Value, Span]] = field(default_factory=dict)
    span: Span | None = None

    @property
    def name(self) -> str:
        label = self.definition.label
        return getattr(label, "id", getattr(label, "value", ""))


@dataclass(frozen=True, slots=True, eq=False)
class Composition:
    """`f |> g`; the identity where `parts` is empty. `label` is the name of the let that holds it."""

    parts: tuple[Function, ...]
    span: Span | None = None
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or "layers"


@dataclass(frozen=True, slots=True, eq=False)
class Repeat:
    """`f * n` with n of at least 2: new weights each time. `chain(f, g, ..)` has `others`: what the later rounds apply."""

    function: Function
    times: int
    span: Span | None = None
    others: tuple[Function, ...] = ()

    def round(self, number: int) -> Function:
        return self.others[number - 1] if self.others and number else self.function

    @property
    def name(self) -> str:
        return inner_name(self)


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """A function that a let holds: wherever it is applied in one model, it is the same layer with the same weights."""

    function: Function
    span: Span | None = None
    label: str = ""

    @property
    def name(self) -> str:
        return inner_name(self)


@dataclass(frozen=True, slots=True, eq=False)
class OnHost:
    """`host(f)`: what it makes runs on the host, not on the target."""

    function: Function
    span: Span | None = None

    @property
    def name(self) -> str:
        return inner_name(self)


def inner_name(function: Function) -> str:
    """The name of the function inside of any wrapping."""
    while isinstance(function, (Repeat, Shared, OnHost)):
        function = function.function
    return function.name


Function = OpFunction | BlockFunction | Composition | Repeat | Shared | OnHost
FUNCTIONS: Final = (OpFunction, BlockFunction, Composition, Repeat, Shared, OnHost)

"""What every op knows of itself: how it is written in a spec, what shape it gives, what it costs, how torch spells it.

An op is a frozen dataclass whose fields are its attributes, all plain values (ints, floats, strings, tuples, bools,
None), so that
ops compare, hash, print and serialise by themselves. A new op is one class in `ir/ops/` and one entry in its list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from detc.ir.types import TensorType

Scalar = int | float | str | bool | None
Attribute = Scalar | tuple["Attribute", ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an op cannot be applied: `message` completes "`name` ..." ("needs a map, got f32[10]"); `help` is the
    remedy."""

    message: str
    help: str = ""


REQUIRED: Any = object()
"""The default of an argument that has none."""


@dataclass(frozen=True, slots=True)
class Argument:
    """How one attribute is written in a spec.

    `kind` says what values the elaborator takes: int, float, bool, str, dims (int or `3x3` -> pair), pad (int, dims, four sides,
    `same`, `same_upper`, `valid`),
    name (one of `choices`), bits (a quantity in bits), steps (a whole number, with or without its unit), scheme (a weight
    scheme such as `masked(3 bits)`), init, expr (any plain value).
    Arguments are positional in the order of `Op.arguments` until the first with `keyword=True`.
    """

    name: str
    kind: str
    default: Any = REQUIRED
    keyword: bool = True
    choices: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True)
class TorchCall:
    """Torch's spelling of an op. A module: `callee="nn.Conv2d"` with constructor `args`; a function:
    `is_module=False`, applied to
    the inputs first, then to `args`. Attribute values are literals; `args` pairs are (keyword or "", value)."""

    callee: str
    args: tuple[tuple[str, Any], ...] = ()
    is_module: bool = True


@dataclass(frozen=True)
class Op:
    """Base of all ops. `name` is the word in specs and reports; `arguments` its signature there."""

    name: ClassVar[str] = ""
    arity: ClassVar[int | None] = 1
    """How many tensors it takes; None for any number (a list, as in `concat(a, b)`)."""
    arguments: ClassVar[tuple[Argument, ...]] = ()
    channelwise: ClassVar[bool] = False
    """Whether channel i of the output needs only channel i of each input. Such ops can be narrowed along with their inputs."""

    @classmethod
    def make(cls, inputs: Sequence[TensorType], given: dict[str, Any]) -> Op | Problem:
        """The op for these inputs: `given` holds every argument of `arguments` (defaults filled in), already of its
        kind."""
        names = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in given.items() if k in names})

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        """The type of the output."""
        raise NotImplementedError(type(self).__name__)

    def params(self, inputs: Sequence[TensorType]) -> int:
        """Every parameter of the torch module: trainable and frozen, not buffers."""
        return 0

    def tensors(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The parameters and buffers that follow the channels: names below the layer's, and what each axis of theirs counts:
        `out` the output's channels, `in` those of the first input (of its group), empty neither."""
        return ()

    def macs(self, inputs: Sequence[TensorType], output: TensorType) -> int:
        """Multiply-accumulates of conv and linear at batch 1; every other op counts 0."""
        return 0

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall | None:
        """How generated code spells it; None where the generator must know the op itself (input)."""
        return None

    def attributes(self) -> dict[str, Any]:
        """All fields as plain values, in order: for the text form, the lock file and structural comparison."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def row(self) -> dict[str, Any]:
        """The columns of the layer table that this op fills: kernel, stride, padding, groups, bias."""
        return {"kernel": None, "stride": None, "padding": None, "groups": None, "bias": None}

"""How ops, values and names are written in a spec. Every op is written so that reading it gives the op again, and checked."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detc.ir.op import Argument, Op
from detc.ir.ops import OPS
from detc.ir.ops.activation import Relu
from detc.ir.ops.conv import Conv, both_sides
from detc.ir.types import TensorType
from detc.semantics.words import TERMS
from detc.syntax.source_text import string_text
from detc.syntax.words import RESERVED

_FIELDS = {"s": "stride"}
"""Attributes of ops that have another name than their argument."""
OPEN = frozenset(
    (
        "channels", "features", "first", "last", "k", "s", "pad", "dilation", "groups", "weights", "gain", "factor", "slope",
        "p", "cap", "block", "threshold",
    )
)  # fmt: skip
"""Arguments in which the instances of one block may differ."""


class Unwritable(ValueError):
    """A graph that no spec gives: its names or ops cannot be written."""


@dataclass(frozen=True, slots=True)
class Given:
    """An argument as it is written. Where it is `default` it can be left out; `bare` ones need no name. `open`: its text may
    become a parameter of a block, so it is told even where it is the default."""

    name: str
    text: str
    default: str | None
    bare: bool
    open: bool


@dataclass(frozen=True, slots=True)
class Spelling:
    """An op as it is written: its word and its arguments."""

    word: str
    args: tuple[Given, ...]

    @property
    def base(self) -> str:
        """What its layers are called by: the last part of the word."""
        return self.word.rpartition(".")[2]


Defaults = Mapping[str, Mapping[str, Any]]
"""Argument values in force by op, from `default OP { .. }`."""


def spellings(op: Op, inputs: Sequence[TensorType], defaults: Defaults) -> Iterator[Spelling]:
    """The ways to write an op, the usual one first. Raises Unwritable where none gives it back."""
    found = False
    for kind, given in _candidates(op, inputs):
        known = defaults.get(kind.name, {})
        usual = {a.name: known.get(a.name, a.default) for a in kind.arguments if not a.required}
        names = {argument.name for argument in kind.arguments}
        args = {**usual, **{name: value for name, value in given.items() if name in names}}
        # `same` stands for a padding by its kernel; whatever does not read back as the op is no way to write it.
        for pad in ("same", "same_upper", usual.get("pad")):
            if "pad" in names and kind.make(inputs, {**args, "pad": pad}) == op:
                args["pad"] = pad
        if kind.make(inputs, args) == op:
            found = True
            yield Spelling(kind.name, tuple(_written(kind, args, usual)))
    if not found:
        raise Unwritable(f"`{op.name}` with {op.attributes()} cannot be written")


def _candidates(op: Op, inputs: Sequence[TensorType]) -> Iterator[tuple[type[Op], dict[str, Any]]]:
    if isinstance(op, Relu) and op.cap == 6:
        yield OPS["relu6"], {}
    given = _given(op, type(op))
    if isinstance(op, Conv) and op.groups > 1 and op.groups == op.channels == inputs[0].channels:
        yield OPS["depthwise"], given
    yield type(op), given


def _given(op: Op, kind: type[Op]) -> dict[str, Any]:
    """The arguments that the op was made from, as far as its attributes tell."""
    attributes = op.attributes()
    given = {}
    for argument in kind.arguments:
        name = _FIELDS.get(argument.name, argument.name)
        if name in attributes:
            given[argument.name] = attributes[name]
        elif argument.name == "global":
            given["global"] = attributes.get("k") is None
    if attributes.get("end", (0, 0)) != (0, 0):
        given["pad"] = both_sides(attributes["pad"], attributes["end"])
    if given.get("global"):
        return {"global": True}
    if op.name in ("maxpool", "avgpool") and given.get("s") == given.get("k"):
        given["s"] = None
    return given


def _written(kind: type[Op], args: Mapping[str, Any], usual: Mapping[str, Any]) -> Iterator[Given]:
    """The first argument by its place if it may be, the others by name; plain ones only where they are not as usual."""
    for number, argument in enumerate(kind.arguments):
        name = argument.name
        text = argument_text(argument, args[name])
        default = None if argument.required else argument_text(argument, usual[name])
        if name in OPEN or text != default:
            yield Given(name, text, default, number == 0 and not argument.keyword, name in OPEN)


def argument_text(argument: Argument, value: Any) -> str:
    """A value as this argument is written."""
    kind = argument.kind
    if kind in ("dims", "pad") and isinstance(value, tuple):
        if argument.name != "k" and len(set(value)) == 1:
            return str(value[0])
        if len(value) == 4:
            return literal(value)
        return "x".join(map(str, value)) if min(value) > 0 else literal(value)
    if kind == "bits" and value is not None:
        return f"{value} bits"
    if kind in ("name", "pad") and isinstance(value, str):
        return value
    if kind in TERMS and isinstance(value, tuple):
        slots = TERMS[kind][value[0]]
        pairs = zip(slots, value[1:], strict=True)
        shown = [("" if not s.keyword else f"{s.name} = ") + argument_text(s, v) for s, v in pairs]
        return f"{value[0]}({', '.join(shown)})"
    return literal(value)


def literal(value: Any) -> str:
    """Plain data. Raises Unwritable for what the language has no literal for."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unwritable(f"{value} cannot be written")
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(literal(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key_text(key)}: {literal(item)}" for key, item in value.items()) + "}"
    raise Unwritable(f"a {type(value).__name__} cannot be written")


def key_text(key: str) -> str:
    return key if _NAME.fullmatch(key) and key not in RESERVED else string_text(key)


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def det_name(name: str, taken: Sequence[str] | frozenset[str] | set[str] = ()) -> str:
    """`name` as a name of the language that is not in `taken`: what is no letter, digit or underscore becomes one."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    word = re.sub(r"\W+", "_", plain).strip("_")[:60] or "x"
    if word[0].isdigit():
        word = f"x{word}"
    if word in RESERVED:
        word += "_"
    result, number = word, 1
    while result in taken:
        number += 1
        result = f"{word}_{number}"
    return result


def is_name(word: str) -> bool:
    return bool(_NAME.fullmatch(word)) and word not in RESERVED

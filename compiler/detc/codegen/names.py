"""Names, comments and docstrings of generated Python: what a user wrote may be read there, never run."""

from __future__ import annotations

import builtins
import keyword
import re
import textwrap
import unicodedata
from collections.abc import Container, Iterable
from pathlib import PurePosixPath

from detc.diagnostics import Span
from detc.diagnostics.span import OperatorSpan

LAYERS = ("Cuba", "DeltaEncoder", "Sigma", "SigmaDelta", "Unpool", "WeightNormConv2d", "WeightNormLinear")
"""Modules of `detrt.layers`, for what torch has none of."""

HELPERS = ("Holder", "PaddedConv2d", "PaddedMaxPool2d", "begun", "prior", "space_to_depth")
"""What the head of model.py may define."""

IMPORTED = frozenset(("F", "OrderedDict", "Tensor", "nn", "torch", *HELPERS, *LAYERS))
"""Names that the head of model.py binds."""

CONTAINER_NAMES = frozenset(("append", "clear", "extend", "insert", "items", "keys", "pop", "update", "values"))
"""Methods of torch's containers: a layer of such a name needs a class of its own around it."""


def class_name(name: str) -> str:
    """`yolox_level` as YoloxLevel; always an identifier."""
    words = re.split(r"[\W_]+", name)
    return identifier("".join(w[:1].upper() + w[1:] for w in words if w) or "Block")


def identifier(name: str) -> str:
    """`name` as something that may be bound: ASCII, no keyword, no builtin, none of the module's imports."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    word = re.sub(r"\W", "_", plain) or "_"
    if word[0].isdigit():
        word = f"_{word}"
    reserved = keyword.iskeyword(word) or keyword.issoftkeyword(word) or hasattr(builtins, word)
    return f"{word}_" if reserved or word in IMPORTED or word == "self" else word


def unique(name: str, taken: Container[str]) -> str:
    """`name`, or `name2`, `name3` .. where it is taken."""
    number, result = 1, name
    while result in taken:
        number += 1
        result = f"{name}{number}" if not name[-1:].isdigit() else f"{name}_{number}"
    return result


def inert(text: str) -> str:
    """One line of text that can stand in a comment: no control, format (such as bidi marks) or line-breaking
    characters."""
    shown = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join(shown.split())


def place(span: Span | None) -> str:
    """`gnetdet448.det:20`, `net.tflite, operator 7`"""
    if span is None:
        return ""
    name = inert(PurePosixPath(span.file).name)
    return f"{name}, operator {span.line}" if isinstance(span, OperatorSpan) else f"{name}:{span.line}"


def docstring(paragraphs: Iterable[str], indent: int, width: int = 120) -> list[str]:
    """The lines of a docstring; empty paragraphs are left out. Backslashes are doubled, double quotes made single."""
    texts = [inert(p).replace('"', "'") for p in paragraphs]
    margin = " " * indent
    blocks = [textwrap.wrap(t, width - indent - 6, break_on_hyphens=False) for t in texts if t]
    lines = [line for number, block in enumerate(blocks) for line in ([""] if number else []) + block]
    lines = [line.replace("\\", "\\\\") for line in lines] or ["Nothing is said of it."]
    if len(lines) == 1:
        return [f'{margin}"""{lines[0]}"""']
    return [f'{margin}"""{lines[0]}', *(f"{margin}{line}".rstrip() for line in lines[1:]), f'{margin}"""']

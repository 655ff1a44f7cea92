"""Pieces of Python text with holes in them: what two instances of a block have in common, and where they differ.

A `Doc` is an expression before it is laid out on lines. Every literal in it is a `Hole`, so that two expressions of one
`skeleton` can share a class whose constructor takes the values in which they differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

NONE_GIVEN: Any = object()
"""The default of an argument that cannot be left out."""

MISSING: Any = object()
"""The value of a hole in a part that one instance does not have: the repetition behind a first and only unit."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A literal. `role` says what it is to torch (`out_channels`), `owner` the attribute it belongs to (`conv1`), `hint`
    what the class that takes it calls it."""

    value: Any
    role: str
    owner: str = ""
    default: Any = NONE_GIVEN
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Ref:
    """The name of a generated class, known once all classes are: `number` counts them."""

    number: int


@dataclass(frozen=True, slots=True)
class Arg:
    """One item between brackets: `prefix` is `name=`, `*` or empty. A comment puts each item on its own line."""

    prefix: str
    doc: Doc
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Bracket:
    """`head(args)` or, with other brackets, a list or a mapping."""

    head: str | Ref
    args: tuple[Arg, ...]
    open: str = "("
    close: str = ")"


@dataclass(frozen=True, slots=True)
class Cat:
    """Texts one after another on a line: `a + b`."""

    parts: tuple[Doc, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """`[body for names in source]`"""

    body: Doc
    names: str
    source: Doc


@dataclass(frozen=True, slots=True)
class Repeat:
    """Stands for the items of an nn.Sequential of `count` equal units; the first may differ in numbers."""

    first: Doc
    rest: Doc
    count: Hole


@dataclass(frozen=True, slots=True)
class OneOrMany:
    """An nn.Sequential of repeated units, or the unit itself where there is one: `f * n` is f where n is 1."""

    repeat: Repeat


@dataclass(frozen=True, slots=True)
class Choice:
    """`yes if condition else no`"""

    yes: Doc
    condition: str
    no: Doc


@dataclass(frozen=True, slots=True)
class Instance:
    """Stands for the constructor call of the class of the block instance at `path`; `linked` puts the call there."""

    path: str
    owner: str


Doc = str | Hole | Bracket | Cat | Loop | Repeat | OneOrMany | Choice | Instance


def call(head: str | Ref, *docs: Doc, **keywords: Doc) -> Bracket:
    args = [Arg("", d) for d in docs] + [Arg(f"{name}=", d) for name, d in keywords.items()]
    return Bracket(head, tuple(args))


def sequence(docs: Sequence[Doc]) -> Bracket:
    return Bracket("", tuple(Arg("", d) for d in docs), "[", "]")


def children(doc: Doc) -> tuple[Doc, ...]:
    match doc:
        case Bracket():
            return tuple(a.doc for a in doc.args)
        case Cat():
            return doc.parts
        case Loop():
            return (doc.body, doc.source)
        case Repeat():
            return (doc.first, doc.rest, doc.count)
        case OneOrMany():
            return (doc.repeat,)
        case Choice():
            return (doc.yes, doc.no)
    return ()


def holes(doc: Doc) -> Iterator[Hole]:
    """Every hole, in the order in which `filled` takes their texts."""
    if isinstance(doc, Hole):
        yield doc
    for child in children(doc):
        yield from holes(child)


def emptied(doc: Doc) -> Doc:
    """The same with MISSING in every hole."""
    match doc:
        case Hole():
            return replace(doc, value=MISSING)
        case Bracket():
            return replace(doc, args=tuple(replace(a, doc=emptied(a.doc)) for a in doc.args))
        case Cat():
            return Cat(tuple(emptied(p) for p in doc.parts))
        case Loop():
            return Loop(emptied(doc.body), doc.names, emptied(doc.source))
        case Repeat():
            return Repeat(emptied(doc.first), emptied(doc.rest), replace(doc.count, value=MISSING))
    return doc


def skeleton(doc: Doc) -> Any:
    """All but the literals and the comments; hashable, equal for expressions that can share a class."""
    match doc:
        case Hole():
            return ("hole", doc.role, isinstance(doc.value, str) and doc.value)
        case Bracket():
            return (doc.head, doc.open, tuple((a.prefix, skeleton(a.doc)) for a in doc.args))
        case Cat():
            return tuple(skeleton(p) for p in doc.parts)
        case Loop():
            return ("loop", skeleton(doc.body), doc.names, skeleton(doc.source))
        case Repeat():
            return ("repeat", skeleton(doc.first))
        case OneOrMany():
            return ("one or many", skeleton(doc.repeat))
    return doc


def filled(doc: Doc, texts: Iterator[str | None], names: Sequence[str]) -> Doc:
    """The doc with a text in every hole (None: the argument is left out) and the names of classes by number."""
    match doc:
        case Hole():
            return next(texts) or ""
        case Bracket():
            args: list[Arg] = []
            for arg in doc.args:
                if isinstance(arg.doc, Hole):
                    text = next(texts)
                    args += [] if text is None else [replace(arg, doc=text)]
                elif isinstance(arg.doc, Repeat):
                    args += _repeated(arg.doc, texts, names)
                else:
                    args.append(replace(arg, doc=filled(arg.doc, texts, names)))
            head = names[doc.head.number] if isinstance(doc.head, Ref) else doc.head
            return Bracket(head, tuple(args), doc.open, doc.close)
        case Cat():
            return Cat(tuple(filled(p, texts, names) for p in doc.parts))
        case Loop():
            body = filled(doc.body, texts, names)
            return Loop(body, doc.names, filled(doc.source, texts, names))
        case OneOrMany():
            return _one_or_many(doc.repeat, texts, names)
    return doc


def _one_or_many(repeat: Repeat, texts: Iterator[str | None], names: Sequence[str]) -> Doc:
    mine = [next(texts) for _ in holes(repeat)]
    one = filled(repeat.first, iter(mine), names)
    many = Bracket("nn.Sequential", tuple(_repeated(repeat, iter(mine), names)))
    count = mine[-1] or "1"
    condition = f"{count.removesuffix(' - 1')} == {2 if count.endswith(' - 1') else 1}"
    return Choice(one, condition, many)


def _repeated(repeat: Repeat, texts: Iterator[str | None], names: Sequence[str]) -> list[Arg]:
    first_texts = [next(texts) for _ in holes(repeat.first)]
    rest_texts = [next(texts) for _ in holes(repeat.rest)]
    count = next(texts) or "1"
    first = filled(repeat.first, iter(first_texts), names)
    rest = filled(repeat.rest, iter(rest_texts), names)
    if count == "1":
        return [Arg("", first)]
    if first == rest:
        return [Arg("*", Loop(first, "_", call("range", count)))]
    if count == "2":
        return [Arg("", first), Arg("", rest)]
    named = isinstance(repeat.first, Bracket) and isinstance(repeat.first.head, Ref)
    if named or any((a is None) != (b is None) for a, b in zip(first_texts, rest_texts, strict=True)):
        return [Arg("", first), Arg("*", Loop(rest, "_", call("range", _fewer(count))))]
    mixed = [a if a == b else f"{b} if i else {a}" for a, b in zip(first_texts, rest_texts, strict=True)]
    return [Arg("*", Loop(filled(repeat.first, iter(mixed), names), "i", call("range", count)))]


def _fewer(count: str) -> str:
    """One less: `n - 1`, `n - 2`, `4`."""
    if count.isdigit():
        return str(int(count) - 1)
    return f"{count.removesuffix(' - 1')} - 2" if count.endswith(" - 1") else f"{count} - 1"

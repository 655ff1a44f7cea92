"""Which instances of blocks share a class: those of one block and one structure. What they differ in, it is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from detc.codegen.doc import (
    Arg,
    Bracket,
    Cat,
    Doc,
    Hole,
    Instance,
    Loop,
    OneOrMany,
    Ref,
    Repeat,
    children,
    emptied,
    holes,
    skeleton,
)
from detc.codegen.flow import Body
from detc.codegen.forward import Forward, forward
from detc.codegen.names import class_name, identifier, unique
from detc.codegen.parameters import Known, Naming, Parameter
from detc.ir.ops.conv import square


@dataclass(slots=True)
class Class:
    """A class to be written. `texts` fill the holes of `modules` and then of `forward`, in order.

    `base` is the class it inherits the constructor from. `stored` are parameters that only the forward reads, `injected`
    the attributes that the constructor is given as modules."""

    number: int
    bodies: list[Body]
    modules: dict[str, Doc]
    forward: Forward
    parameters: list[Parameter] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    injected: list[str] = field(default_factory=list)
    base: Class | None = None
    name: str = ""

    @property
    def body(self) -> Body:
        return self.bodies[0]


Member = tuple[Body, dict[str, Doc], Forward]
"""An instance of a block with its modules as linked and its forward."""


class Classes:
    """The classes of all bodies, children before those that use them."""

    def __init__(self, bodies: Mapping[str, Body]) -> None:
        self.bodies = bodies
        self.made: list[Class] = []
        self.calls: dict[str, Bracket] = {}
        heights: dict[str, int] = {}
        for path in sorted(bodies, key=lambda p: -p.count(".")):
            inner = [i.path for doc in bodies[path].modules.values() for i in instances(doc)]
            heights[path] = 1 + max((heights[i] for i in inner), default=0)
        for height in sorted(set(heights.values())):
            self.level([body for path, body in bodies.items() if heights[path] == height])

    def level(self, bodies: Sequence[Body]) -> None:
        groups: dict[Any, list[Member]] = {}
        for body in bodies:
            modules = {name: self.linked(doc, name) for name, doc in body.modules.items()}
            written = forward(body, input_names(body))
            key = (body.scope.block, tuple((name, block_or_skeleton(doc)) for name, doc in modules.items()))
            groups.setdefault(key, []).append((body, modules, written))
        for members in groups.values():
            for alike, injected in split(members):
                self.group(alike, injected)

    def group(self, members: Sequence[Member], injected: Sequence[str]) -> None:
        """One class, one more a different forward. A forward with numbers of its own needs a constructor of its own."""
        variants: dict[Any, list[Member]] = {}
        for body, modules, written in _joined(members, injected):
            variants.setdefault((body.form, forward_skeleton(written)), []).append((body, modules, written))
        alike = [v for v in variants.values() if len({tuple(map(repr, forward_holes(w))) for _, _, w in v}) == 1]
        for variant in variants.values():
            if not any(variant is a for a in alike):
                self.make(variant, variant, injected)
        alike.sort(key=lambda v: (len(v[0][0].gives), len(heads(v[0][2])), -len(v)))
        together = [member for variant in alike for member in variant]
        base = None
        for variant in alike:
            made = self.make(together, variant, injected, base)
            base = base or made

    def make(
        self,
        together: Sequence[Member],
        variant: Sequence[Member],
        injected: Sequence[str],
        base: Class | None = None,
    ) -> Class:
        """The class of `variant`, whose constructor serves all of `together` and is given the modules `injected`."""
        bodies = [body for body, _, _ in together]
        naming = Naming(*known_values(bodies))
        first = variant[0]
        given = [{**m, **{name: name for name in injected}} for _, m, _ in together]
        own = next(m for m, member in zip(given, together, strict=True) if member[0] is first[0])
        made = Class(
            len(self.made), [body for body, _, _ in variant], own, first[2], base=base, injected=list(injected)
        )
        columns = zip(*([h for doc in m.values() for h in holes(doc)] for m in given), strict=True)
        for column in columns:
            made.texts.append(_text(naming, column))
        for column in zip(*(list(forward_holes(written)) for _, _, written in variant), strict=True):
            text = _text(naming, column) if len({h.value for h in column}) > 1 else _text(Naming((), ()), column)
            if text is not None and len({h.value for h in column}) > 1:
                made.stored += [p.name for p in naming.made if p.name in text.split() and p.name not in made.stored]
                text = " ".join(f"self.{w}" if w in made.stored else w for w in text.split())
            made.texts.append(text)
        made.parameters = naming.parameters()
        self.made.append(made)
        mine = {body.path for body in made.bodies}
        for number, body in enumerate(bodies):
            if body.path in mine:
                self.calls[body.path] = constructor(made, number, together[number][1])
        return made

    def linked(self, doc: Doc, owner: str) -> Doc:
        """The doc with constructor calls in place of instances, and equal units of an nn.Sequential as a repetition."""
        match doc:
            case Instance():
                return _owned(self.calls[doc.path], owner)
            case Bracket():
                args = tuple(replace(a, doc=self.linked(a.doc, a.prefix.rstrip("=") or owner)) for a in doc.args)
                plain = doc.head == "nn.Sequential" and all(not a.prefix for a in args)
                numbered = plain and not (len(args) == 1 and _is_head(args[0].doc, "OrderedDict"))
                repeated = repetition([a.doc for a in args], owner) if numbered else None
                return replace(doc, args=(Arg("", repeated),) if repeated else args)
            case Cat():
                return Cat(tuple(self.linked(p, owner) for p in doc.parts))
            case Loop():
                return replace(doc, body=self.linked(doc.body, owner), source=self.linked(doc.source, owner))
        return doc

    def named(self, taken: set[str], top: Class) -> None:
        """Gives every class but `top` its name: the block's, and what sets it apart where a block has several."""
        blocks: dict[str, list[Class]] = {}
        for made in self.made:
            if made is not top:
                blocks.setdefault(made.body.scope.block, []).append(made)
        for block, variants in blocks.items():
            common = set.intersection(*(features(v) for v in variants))
            for variant in sorted(variants, key=lambda v: (v.base is not None, v.number)):
                words = [*_distinct(variant, variants, common), *(["tapped"] if tapped(variant) else [])]
                stem = class_name(block.rpartition(".")[2])
                variant.name = unique(stem + "".join(class_name(w).rstrip("_") for w in words), taken)
                taken.add(variant.name)


def unit(doc: Doc) -> Doc | None:
    """What an nn.Sequential repeats, if it is a repetition."""
    repeat = repeated(doc)
    return repeat.first if repeat else None


def repeated(doc: Doc) -> Repeat | None:
    if isinstance(doc, Bracket) and doc.head == "nn.Sequential" and isinstance(doc.args[0].doc, Repeat):
        return doc.args[0].doc
    return None


def block_or_skeleton(doc: Doc) -> Any:
    """The skeleton, or for an instance of a block only that it is one."""
    single = unit(doc) or doc
    return "block" if isinstance(single, Bracket) and isinstance(single.head, Ref) else skeleton(single)


def split(members: Sequence[Member]) -> Iterator[tuple[list[Member], list[str]]]:
    """The members that share a class, with the attributes that it is given as modules: those that are instances of
    different classes. Where that would be more than half of its attributes, the classes stay apart."""
    structures = [{name: skeleton(unit(doc) or doc) for name, doc in modules.items()} for _, modules, _ in members]
    differing = [name for name in members[0][1] if len({s[name] for s in structures}) > 1]
    if 2 * len(differing) <= len(members[0][1]):
        yield list(members), differing
        return
    groups: dict[Any, list[Member]] = {}
    for member, structure in zip(members, structures, strict=True):
        groups.setdefault(tuple(structure.items()), []).append(member)
    for group in groups.values():
        yield group, []


def _joined(members: Sequence[Member], injected: Sequence[str]) -> Iterator[Member]:
    """The members, with one form for what some repeat and others have once."""
    names = [n for n in members[0][1] if n not in injected]
    mixed = {n for n in names if len({unit(modules[n]) is None for _, modules, _ in members}) == 2}
    for body, modules, written in members:
        joined = dict(modules)
        for name in mixed:
            doc = modules[name]
            joined[name] = OneOrMany(repeated(doc) or Repeat(doc, emptied(doc), Hole(1, "count", name)))
        yield body, joined, written


def _text(naming: Naming, column: Sequence[Hole]) -> str | None:
    return naming.text(column[0], tuple(h.value for h in column), tuple(h.default for h in column))


def _is_head(doc: Doc, head: str) -> bool:
    return isinstance(doc, Bracket) and doc.head == head


def _owned(doc: Bracket, owner: str) -> Bracket:
    own = (replace(a, doc=replace(a.doc, owner=owner)) if isinstance(a.doc, Hole) else a for a in doc.args)
    return replace(doc, args=tuple(own))


def instances(doc: Doc) -> Iterator[Instance]:
    if isinstance(doc, Instance):
        yield doc
    for child in children(doc):
        yield from instances(child)


def repetition(docs: Sequence[Doc], owner: str) -> Repeat | None:
    """The units as one repetition, if all have one structure and all but the first the same numbers."""
    if any(skeleton(d) != skeleton(docs[0]) for d in docs[1:]):
        return None
    rest = [[h.value for h in holes(d)] for d in docs[1:]]
    if any(r != rest[0] for r in rest[1:]):
        return None
    return Repeat(docs[0], docs[1] if rest else emptied(docs[0]), Hole(len(docs), "count", owner))


def constructor(made: Class, number: int, modules: Mapping[str, Doc]) -> Bracket:
    """The call that makes instance `number` of the class, which has these modules."""
    args = []
    for p in made.parameters:
        prefix = "" if p.positional else f"{p.name}="
        args.append(Arg(prefix, Hole(p.values[number], p.role, "", p.default, p.name)))
    widths = sum(p.positional for p in made.parameters)
    args[widths:widths] = [Arg("", modules[name]) for name in made.injected]
    return Bracket(Ref(made.number), tuple(args))


def input_names(body: Body) -> tuple[str, ...]:
    """The names of the tensors that a block takes, as the spec has them where it says."""
    declared: tuple[str, ...] = getattr(body.scope, "input_names", ())
    known = dict(zip(body.scope.inputs, declared, strict=False)) if body.path else {n: n for n in body.reads}
    letters = ("x",) if len(body.reads) == 1 else tuple("abcdefghijklmnopqrstuvwyz")
    names: list[str] = []
    for number, node in enumerate(body.reads):
        word = known.get(node) or (letters[number] if number < len(letters) else f"x{number}")
        names.append(unique(identifier(word), names))
    return tuple(names)


def known_values(bodies: Sequence[Body]) -> tuple[list[Known], list[Known]]:
    """The parameters of the block that all instances have, and the widths of their inputs."""
    params = [dict(b.scope.params) for b in bodies]
    names = [n for n in params[0] if all(n in p and _plain(p[n]) for p in params)]
    known = [Known(name, tuple(_number(p[name]) for p in params), rank) for rank, name in enumerate(names)]
    widths = zip(*(b.widths for b in bodies), strict=False)
    words = input_names(bodies[0])
    inputs = [
        Known("c_in" if len(words) == 1 else f"{word}_channels", column, rank - len(words))
        for rank, (word, column) in enumerate(zip(words, widths, strict=False))
    ]
    return known, [k for k in inputs if all(k.name != p.name for p in known)]


def _plain(value: Any) -> bool:
    return isinstance(value, (int, float)) or (
        isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, int) for v in value)
    )


def _number(value: Any) -> Any:
    return square(value) if isinstance(value, tuple) else value


def forward_holes(written: Forward) -> Iterator[Hole]:
    for doc in forward_docs(written):
        yield from holes(doc)


def forward_docs(written: Forward) -> Iterator[Doc]:
    yield from (s.doc for s in written.statements)
    yield from written.results


def forward_skeleton(written: Forward) -> Any:
    targets = tuple(s.targets for s in written.statements)
    return written.inputs, targets, tuple(skeleton(doc) for doc in forward_docs(written))


def features(made: Class) -> set[str]:
    """What a class is made of, in words: its attributes and the functions of its forward."""
    return set(made.modules) | heads(made.forward)


def heads(written: Forward) -> set[str]:
    """The functions that a forward calls: cat, interpolate, add .."""

    def found(doc: Doc) -> Iterator[str]:
        if isinstance(doc, Bracket) and isinstance(doc.head, str) and doc.head.startswith(("torch.", "F.")):
            yield doc.head.rpartition(".")[2]
        if isinstance(doc, Cat):
            yield "add" if " + " in doc.parts else "mul"
        for child in children(doc):
            yield from found(child)

    return {word for doc in forward_docs(written) for word in found(doc)}


def _distinct(made: Class, variants: Sequence[Class], common: set[str]) -> list[str]:
    """Words for what this class has and not all others of its block: the most usual first, two at most."""
    counts = Counter(w for v in variants for w in features(v))
    return sorted(features(made) - common, key=lambda w: (-counts[w], w))[:2]


def tapped(made: Class) -> list[str]:
    """What a class gives besides the results of the class that it inherits from."""
    mine, base = given(made.body), given(made.base.body) if made.base else []
    return [w for w in mine if w not in base] if made.base else []


def given(body: Body) -> list[str]:
    """The names of its results, as the spec has them."""
    names = {node: name for name, node in body.scope.outputs}
    return [names.get(g) or g.rpartition(".")[2] for g in body.gives]

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

    `base` is the class it inherits the constructor from. `stored` are parameters that only the forward reads."""

    number: int
    bodies: list[Body]
    modules: dict[str, Doc]
    forward: Forward
    parameters: list[Parameter] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
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
            key = (body.scope.block, tuple((name, skeleton(unit(doc) or doc)) for name, doc in modules.items()))
            groups.setdefault(key, []).append((body, modules, written))
        for members in groups.values():
            self.group(members)

    def group(self, members: Sequence[Member]) -> None:
        """One class, one more a different forward. A forward with numbers of its own needs a constructor of its own."""
        variants: dict[Any, list[Member]] = {}
        for body, modules, written in _joined(members):
            variants.setdefault((body.form, forward_skeleton(written)), []).append((body, modules, written))
        alike = [v for v in variants.values() if len({tuple(map(repr, forward_holes(w))) for _, _, w in v}) == 1]
        for variant in variants.values():
            if not any(variant is a for a in alike):
                self.make(variant, variant)
        alike.sort(key=lambda v: -len(v))
        together = [member for variant in alike for member in variant]
        base = None
        for variant in alike:
            made = self.make(together, variant, base)
            base = base or made

    def make(
        self,
        together: Sequence[Member],
        variant: Sequence[Member],
        base: Class | None = None,
    ) -> Class:
        """The class of `variant`, whose constructor serves all of `together`."""
        bodies = [body for body, _, _ in together]
        naming = Naming(*known_values(bodies))
        first = variant[0]
        made = Class(len(self.made), [body for body, _, _ in variant], first[1], first[2], base=base)
        columns = zip(*([h for doc in m.values() for h in holes(doc)] for _, m, _ in together), strict=True)
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
        for number, body in enumerate(bodies):
            if any(body is mine for mine in made.bodies):
                self.calls[body.path] = constructor(made, number)
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
            roots = [v for v in variants if v.base is None]
            common = set.intersection(*(features(v) for v in roots))
            for variant in variants:
                words = _distinct(variant, roots, common) if variant.base is None else _extra(variant)
                stem = variant.base.name if variant.base else class_name(block.rpartition(".")[2])
                variant.name = unique(stem + "".join(class_name(w).rstrip("_") for w in words), taken)
                taken.add(variant.name)


def unit(doc: Doc) -> Doc | None:
    """The block that an nn.Sequential repeats, if it is one."""
    repeat = repeated(doc)
    named = repeat and isinstance(repeat.first, Bracket) and isinstance(repeat.first.head, Ref)
    return repeat.first if repeat and named else None


def repeated(doc: Doc) -> Repeat | None:
    if isinstance(doc, Bracket) and doc.head == "nn.Sequential" and isinstance(doc.args[0].doc, Repeat):
        return doc.args[0].doc
    return None


def _joined(members: Sequence[Member]) -> Iterator[Member]:
    """The members, with one form for what some repeat and others have once."""
    names = list(members[0][1])
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
    return replace(doc, args=tuple(replace(a, doc=replace(a.doc, owner=owner)) for a in doc.args if isinstance(a.doc, Hole)))


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


def constructor(made: Class, number: int) -> Bracket:
    """The call that makes instance `number` of the class."""
    args = []
    for p in made.parameters:
        prefix = "" if p.positional else f"{p.name}="
        args.append(Arg(prefix, Hole(p.values[number], p.role, "", p.default)))
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

    def heads(doc: Doc) -> Iterator[str]:
        if isinstance(doc, Bracket) and isinstance(doc.head, str) and doc.head.startswith(("torch.", "F.")):
            yield doc.head.rpartition(".")[2]
        if isinstance(doc, Cat):
            yield "add" if " + " in doc.parts else "mul"
        for child in children(doc):
            yield from heads(child)

    return set(made.modules) | {word for doc in forward_docs(made.forward) for word in heads(doc)}


def _distinct(made: Class, roots: Sequence[Class], common: set[str]) -> list[str]:
    """Words for what this class has and not all others: most telling first, three at most."""
    own = features(made) - common
    if not own or len(roots) == 1:
        return []
    counts = Counter(w for r in roots for w in features(r))
    return sorted(own, key=lambda w: (counts[w], w))[:2]


def _extra(made: Class) -> list[str]:
    """Words for the results that this class gives beside those of its base."""
    base = made.base.body if made.base else made.body
    mine = _labels(made.body)
    more = [w for w in mine if w not in _labels(base)]
    return ["with", *more[:2]] if more else []


def _labels(body: Body) -> list[str]:
    names = {node: name for name, node in body.scope.outputs}
    return [names.get(g) or g.rpartition(".")[2] for g in body.gives]

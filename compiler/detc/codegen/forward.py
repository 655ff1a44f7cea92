"""The forward of a class: its steps in order, each a line, with values used once written where they are used."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from detc.codegen import spelling
from detc.codegen.doc import Arg, Bracket, Cat, Doc, Loop, call, sequence
from detc.codegen.flow import Body, Step
from detc.codegen.layout import flat_width
from detc.codegen.names import identifier, unique
from detc.codegen.tree import relative

DEEPEST = 3
"""How many calls one line may nest."""

OPERAND = 40
"""Widest operand of `+` or `*` that is not given a name."""

LISTED = 90
"""Widest call over a list that stays on the line that uses it."""

RETURNED = 60
"""Widest calls that are written behind `return`, if they are several."""


class Tangled(Exception):
    """The scope at `path` cannot be one call: something between two of its layers waits for what it gives."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True, slots=True)
class Statement:
    """`targets = doc`"""

    targets: tuple[str, ...]
    doc: Doc


@dataclass(frozen=True, slots=True)
class Forward:
    """`inputs` names the arguments; `results` has an expression for each name in `Body.gives`, `lists` those of lists of
    nodes."""

    inputs: tuple[str, ...]
    statements: tuple[Statement, ...]
    results: tuple[Doc, ...]
    lists: dict[tuple[str, ...], Doc] = field(default_factory=dict)


def forward(body: Body, inputs: Sequence[str]) -> Forward:
    """The forward of a class with these names of its arguments. Tangled where its steps have no order."""
    return _Writer(body, tuple(inputs)).write()


def in_order(steps: Sequence[Step]) -> list[Step]:
    """The steps, each after those whose results it reads, otherwise as written. Raises Tangled if they wait in a circle."""
    makers = {name: step for step in steps for name in step.gives}
    waiting = {id(s): {id(makers[r]) for r in s.reads if r in makers} for s in steps}
    readers: dict[int, list[Step]] = {}
    for step in steps:
        for maker in waiting[id(step)]:
            readers.setdefault(maker, []).append(step)
    ready = [(s.order, number, s) for number, s in enumerate(steps) if not waiting[id(s)]]
    heapq.heapify(ready)
    done: list[Step] = []
    count = len(steps)
    while ready:
        step = heapq.heappop(ready)[2]
        done.append(step)
        for reader in readers.get(id(step), ()):
            waiting[id(reader)].discard(id(step))
            if not waiting[id(reader)]:
                count += 1
                heapq.heappush(ready, (reader.order, count, reader))
    if len(done) < len(steps):
        left = [s for s in steps if waiting[id(s)]]
        whole_scopes = [s for s in left if s.items] or [s for s in left if s.gives != (s.place,)]
        raise Tangled(whole_scopes[0].place)
    return done


def alive(steps: Sequence[Step], gives: Sequence[str]) -> list[Step]:
    """The steps without those whose results nothing needs."""
    needed = set(gives)
    kept = []
    for step in reversed(steps):
        if needed.intersection(step.gives):
            needed.update(step.reads)
            kept.append(step)
    return kept[::-1]


class _Writer:
    def __init__(self, body: Body, inputs: tuple[str, ...]) -> None:
        self.body = body
        self.inputs = inputs
        self.steps = alive(in_order(body.steps), body.gives)
        self.values: dict[str, Doc] = dict(zip(body.reads, inputs, strict=True))
        self.lists: dict[tuple[str, ...], Doc] = {}
        self.depths: dict[str, int] = {}
        self.taken = set(inputs) | {"self"}
        self.uses = Counter(name for step in self.steps for name in step.reads)
        self.uses.update(body.gives)
        self.reader = {name: step for step in self.steps for name in step.reads}
        self.last = {self.let(step): step for step in self.steps}
        self.statements: list[Statement] = []

    def write(self) -> Forward:
        for step in self.steps:
            if step.items:
                self.write_list(step)
            else:
                self.write_call(step)
        results = self.results()
        return Forward(self.inputs, tuple(self.statements), results, self.lists)

    def results(self) -> tuple[Doc, ...]:
        """What is returned. Values that the last statements name for that alone are written where they are returned."""
        results = [self.values[name] for name in self.body.gives]
        for place in range(len(results) - 1, -1, -1):
            last = self.statements[-1] if self.statements else None
            if last is None or last.targets != (results[place],) or self.uses[self.body.gives[place]] > 1:
                break
            whole = [*results[:place], last.doc, *results[place + 1 :]]
            if len(whole) > 1 and sum(map(flat_width, whole)) > RETURNED:
                break
            results = whole
            self.statements.pop()
        return tuple(results)

    def write_call(self, step: Step) -> None:
        operands = [self.values[name] for name in step.reads]
        depth = 1 + max((self.depths.get(name, 0) for name in step.reads), default=0)
        if step.spelled is None:
            doc: Doc = call(self.attribute(step.target), *operands)
        elif step.spelled.callee in ("+", "*"):
            doc = Cat((operands[0], f" {step.spelled.callee} ", operands[1]))
        else:
            owner = relative(step.place, self.body.path).rpartition(".")[2]
            doc = spelling.function(step.spelled, [sequence(operands)] if step.listed else operands, owner)
        if len(step.gives) == 1 and self.inlined(step, doc, depth):
            self.values[step.gives[0]] = doc
            self.depths[step.gives[0]] = depth
            return
        self.assign(step, doc)

    def inlined(self, step: Step, doc: Doc, depth: int) -> bool:
        """Whether the result is written where it is used: once, by the same let, and not too deep in."""
        name = step.gives[0]
        if self.uses[name] != 1 or name not in self.reader:
            return isinstance(doc, str)
        reader = self.reader[name]
        if isinstance(doc, str):
            return True
        infix = reader.spelled is not None and reader.spelled.callee in ("+", "*")
        if infix and (isinstance(doc, Cat) or flat_width(doc) > OPERAND):
            return False
        return self.let(reader) == self.let(step) and depth < DEEPEST and not reader.items

    def write_list(self, step: Step) -> None:
        """`y = [f(x) for f, x in zip(self.y, xs)]`; where every item gives several values, a list of each."""
        reads = [i.reads for i in step.items]
        names = ("x", "y", "z") if len(reads[0]) <= 3 else tuple(f"x{n}" for n in range(len(reads[0])))
        names = names[: len(reads[0])]
        sources = [self.listed(tuple(r[n] for r in reads), self.name(step, f"{x}s")) for n, x in enumerate(names)]
        modules = self.attribute(step.target)
        zipped = call("zip", modules, *sources, strict="True")
        doc: Doc = Loop(call("f", *names), ", ".join(("f", *names)), zipped)
        labels = [self.label(step.items[0].place, name) for name in step.items[0].gives]
        if len(labels) == 1:
            targets = [self.name(step)]
        else:
            doc = Bracket("zip", (Arg("*", doc), Arg("strict=", "True")))
            targets = [self.name(step, label) for label in labels]
        self.statements.append(Statement(tuple(targets), doc))
        for position, target in enumerate(targets):
            column = tuple(i.gives[position] for i in step.items)
            self.lists[column] = target if len(targets) == 1 else call("list", target)
            for number, name in enumerate(column):
                self.values[name] = f"{target}[{number}]"

    def listed(self, names: tuple[str, ...], word: str) -> Doc:
        """The values as a list: a list that is there already, or a new one, named if it is long."""
        if names in self.lists:
            known = self.lists[names]
            return known if isinstance(known, str) else flat_inner(known)
        doc = sequence([self.values[n] for n in names])
        if flat_width(doc) <= LISTED:
            return doc
        self.statements.append(Statement((word,), doc))
        return word

    def assign(self, step: Step, doc: Doc) -> None:
        if len(step.gives) == 1:
            targets = [self.name(step)]
        else:
            targets = [self.name(step, self.label(step.place, name)) for name in step.gives]
        self.statements.append(Statement(tuple(targets), doc))
        self.values.update(zip(step.gives, targets, strict=True))

    def let(self, step: Step) -> str:
        return relative(step.place, self.body.path).partition(".")[0]

    def name(self, step: Step, label: str = "") -> str:
        """A variable for a result: named after the let at its last step, after the whole place before that."""
        path = self.let(step) if self.last[self.let(step)] is step else relative(step.place, self.body.path)
        words = [w for w in (path.replace(".", "_"), label) if w]
        chosen = unique(identifier("_".join(words)), self.taken)
        self.taken.add(chosen)
        return chosen

    def label(self, place: str, node: str) -> str:
        """What a result is called in its scope: its output's name, else its own."""
        scope = self.body.labels.get(place, {})
        return scope.get(node, relative(node, place).partition(".")[0])

    def attribute(self, target: str) -> str:
        parts = relative(target, self.body.path).split(".")
        return "self" + "".join(f"[{p}]" if p.isdigit() else f".{p}" for p in parts)


def flat_inner(doc: Doc) -> Doc:
    """`list(xs)` as `xs`, where any sequence will do."""
    return doc.args[0].doc if isinstance(doc, Bracket) and doc.head == "list" else doc

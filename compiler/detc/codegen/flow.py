"""From scopes to modules: which scope becomes a class, an nn.Sequential or a mere container, and what each forward does.

Every scope ends up in one of three forms. A chain (each step reads what the one before gives, and nothing else does) is an
nn.Sequential. An instance of a block is an object of a class. Whatever is neither is open: a container of modules whose
steps the class around it runs itself. The open form is always right; the other two are how a person writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from detc.codegen import spelling
from detc.codegen.doc import Arg, Bracket, Doc, Instance, call, sequence
from detc.codegen.names import CONTAINER_NAMES
from detc.codegen.sharing import foreign_scopes, twins
from detc.codegen.tree import Place, encloses, places
from detc.diagnostics import Span
from detc.ir.graph import Graph, Node, Scope
from detc.ir.op import TorchCall


@dataclass(frozen=True, slots=True)
class Step:
    """One call in a forward: of the module at `target`, of a function, or of every module in a list.

    `place` is the path it stands for, `reads` and `gives` are names of nodes: its arguments, and its results that
    something else reads."""

    place: str
    reads: tuple[str, ...]
    gives: tuple[str, ...]
    order: int
    target: str = ""
    spelled: TorchCall | None = None
    listed: bool = False
    items: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """What a place comes to: the module to construct, if any, and the steps that run it."""

    module: Doc | None
    steps: tuple[Step, ...]

    def is_call_of(self, path: str) -> bool:
        return (
            self.module is not None
            and len(self.steps) == 1
            and self.steps[0].target == path
            and not self.steps[0].items
        )


@dataclass(frozen=True, slots=True)
class Element:
    """A place and its pieces: `either` marks a layer that can as well be a function, `loose` that piece."""

    place: Place
    piece: Piece
    loose: Piece | None = None

    @property
    def callable(self) -> bool:
        return self.piece.is_call_of(self.place.path)

    @property
    def step(self) -> Step:
        return self.piece.steps[0]


@dataclass(slots=True)
class Body:
    """The inside of one class: a block's instance or the model. `form` "chain" needs no forward of its own."""

    path: str
    scope: Scope
    form: Literal["chain", "module"]
    modules: dict[str, Doc]
    steps: tuple[Step, ...]
    reads: tuple[str, ...]
    gives: tuple[str, ...]
    widths: tuple[int, ...]
    """Channels of the tensors that it reads."""
    notes: dict[str, str] = field(default_factory=dict)
    spans: dict[str, Span | None] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    """For each block called in the body: names of its outputs by the nodes that give them."""


class Flow:
    """Walks the places of a graph. `opened` names scopes that must not become a call of their own."""

    def __init__(self, graph: Graph, opened: frozenset[str] = frozenset()) -> None:
        self.graph = graph
        self.order = {node.name: number for number, node in enumerate(graph)}
        self.users = {node.name: [u.name for u in graph.users(node.name)] for node in graph}
        self.outputs = frozenset(graph.output_nodes)
        self.bodies: dict[str, Body] = {}
        self.root = places(graph)
        self.twins = twins(graph, self.root)
        self.opened = opened | foreign_scopes(graph, self.root, self.twins)

    def model(self) -> Body:
        """The body of the model; those of all blocks are in `bodies` afterwards."""
        elements = [self.element(p) for p in self.root.inner.values()]
        reads = tuple(n.name for n in self.graph.inputs)
        gives = tuple(self.graph.output_nodes)
        scope = self.root.scope or Scope("", "model")
        return self.body(self.root, scope, elements, reads, gives, may_chain=False)

    def element(self, place: Place) -> Element:
        if place.node:
            return self.layer(place, place.node)
        scope = place.scope or Scope(place.path, "pipeline")
        if place.path in self.twins and place.path not in self.opened:
            reads, gives = self.boundary(place)
            step = Step(place.path, reads, gives, self.first(place), target=self.twins[place.path])
            return Element(place, Piece(None, (step,)))
        elements = [self.element(p) for p in place.inner.values()]
        if place.path in self.opened or not self.boundary(place)[1]:
            return Element(place, self.open(place, elements))
        if scope.kind == "block":
            return Element(place, self.instance(place, scope, elements))
        if scope.kind == "list":
            return Element(place, self.listing(place, elements))
        return Element(place, self.pipeline(place, elements))

    def layer(self, place: Place, node: Node) -> Element:
        spelled = node.op.torch(self.graph.input_types(node))
        if spelled is None:
            raise ValueError(f"{node.name}: torch has no spelling of {node.op.name}")
        step = Step(node.name, node.inputs, (node.name,), self.order[node.name])
        loose = Piece(None, (replace(step, spelled=spelled, listed=node.op.arity is None),))
        if not spelled.is_module:
            return Element(place, loose)
        if not node.owns_weights:
            return Element(place, Piece(None, (replace(step, target=node.module),)))
        constructor: Doc = spelling.module(spelled, place.name)
        init = getattr(node.op, "init", None)
        if init is not None:
            constructor = spelling.initialised(constructor, init, place.name)
        piece = Piece(constructor, (replace(step, target=node.name),))
        return Element(place, piece, loose if spelled.callee in spelling.FUNCTIONS else None)

    def instance(self, place: Place, scope: Scope, elements: Sequence[Element]) -> Piece:
        reads, gives = self.boundary(place)
        self.bodies[place.path] = self.body(place, scope, elements, reads, gives)
        step = Step(place.path, reads, gives, self.first(place), target=place.path)
        return Piece(Instance(place.path, place.name), (step,))

    def body(
        self,
        place: Place,
        scope: Scope,
        elements: Sequence[Element],
        reads: tuple[str, ...],
        gives: tuple[str, ...],
        may_chain: bool = True,
    ) -> Body:
        core = self.core(elements) if may_chain and not CONTAINER_NAMES & place.inner.keys() else range(0)
        whole = len(core) == len(elements) and len(reads) == len(gives) == 1
        pieces = [e.piece if whole else e.loose or e.piece for e in elements]
        modules = {e.place.name: p.module for e, p in zip(elements, pieces, strict=True) if p.module is not None}
        steps = tuple(s for p in pieces for s in p.steps)
        notes = {e.place.name: self.sizes(e.place) for e in elements}
        called = [s.place for step in steps for s in (step, *step.items) if s.place in self.graph.scopes]
        labels = {path: {node: name for name, node in self.graph.scopes[path].outputs if name} for path in called}
        widths = tuple(self.graph[name].type.shape[0] for name in reads)
        form: Literal["chain", "module"] = "chain" if whole else "module"
        spans = {e.place.name: written_at(e.place) for e in elements}
        return Body(place.path, scope, form, modules, steps, reads, gives, widths, notes, spans, labels)

    def pipeline(self, place: Place, elements: Sequence[Element]) -> Piece:
        core = self.core(elements)
        outside = [e for number, e in enumerate(elements) if number not in core]
        numbered = place.name and all(name.isdigit() for name in place.inner)
        gapless = [e.place.name for e in elements] == [str(n) for n in range(len(elements))]
        held = any((e.loose or e.piece).module is not None for e in outside)
        if not core or held or (numbered and (outside or not gapless)):
            return self.open(place, elements)
        inside = [elements[number] for number in core]
        step = Step(place.path, inside[0].step.reads, inside[-1].step.gives, inside[0].step.order, target=place.path)
        if numbered:
            module = Bracket("nn.Sequential", tuple(Arg("", e.piece.module or "") for e in inside))
        else:
            module = call("nn.Sequential", self.named("OrderedDict", inside))
        steps = [s for e in outside for s in (e.loose or e.piece).steps]
        return Piece(module, (*steps, step))

    def listing(self, place: Place, elements: Sequence[Element]) -> Piece:
        elements = sorted(elements, key=lambda e: int(e.place.name))
        shapes = {(len(e.step.reads), len(e.step.gives)) for e in elements if e.callable}
        inner = {n.name for n in place.nodes()}
        alone = all(not inner.intersection(e.step.reads) for e in elements if e.callable)
        gapless = [int(e.place.name) for e in elements] == list(range(len(elements)))
        uniform = gapless and len(elements) > 1 and all(e.callable for e in elements) and len(shapes) == 1 and alone
        if not uniform or all(e.loose for e in elements):
            return self.open(place, elements)
        module = call("nn.ModuleList", sequence([e.piece.module or "" for e in elements]))
        items = tuple(e.step for e in elements)
        reads = tuple(n for i in items for n in i.reads)
        gives = tuple(n for i in items for n in i.gives)
        return Piece(module, (Step(place.path, reads, gives, items[0].order, target=place.path, items=items),))

    def open(self, place: Place, elements: Sequence[Element]) -> Piece:
        pieces = [(e, e.loose or e.piece) for e in elements]
        steps = tuple(s for _, p in pieces for s in p.steps)
        held = [Element(e.place, p) for e, p in pieces if p.module is not None]
        if not held:
            return Piece(None, steps)
        if all(name.isdigit() for name in place.inner):
            modules: dict[int, Doc] = {int(e.place.name): e.piece.module or "" for e in held}
            filled = [modules.get(number, call("nn.Identity")) for number in range(max(modules) + 1)]
            return Piece(call("nn.ModuleList", sequence(filled)), steps)
        if CONTAINER_NAMES & place.inner.keys():
            return Piece(self.named("Holder", held), steps)
        return Piece(call("nn.ModuleDict", self.named("dict", held)), steps)

    def named(self, head: str, elements: Sequence[Element]) -> Bracket:
        shown = not self.in_block(elements[0].place.path)
        return Bracket(
            head,
            tuple(
                Arg(f"{e.place.name}=", e.piece.module or "", self.change(e.place) if shown else "") for e in elements
            ),
        )

    def core(self, elements: Sequence[Element]) -> range:
        """The elements that make a chain: all that must be modules, and what else fits at both ends; empty if none."""
        must = [number for number, e in enumerate(elements) if e.callable and e.loose is None]
        first, last = (must[0], must[-1]) if must else (0, len(elements) - 1)
        if not elements or not all(e.callable and len(e.step.reads) == 1 for e in elements[first : last + 1]):
            return range(0)
        if not all(
            self.linked(a, b) for a, b in zip(elements[first:last], elements[first + 1 : last + 1], strict=True)
        ):
            return range(0)
        while first and elements[first - 1].loose and self.linked(elements[first - 1], elements[first]):
            first -= 1
        while last + 1 < len(elements) and elements[last + 1].loose and self.linked(elements[last], elements[last + 1]):
            last += 1
        return range(first, last + 1) if len(elements[last].step.gives) == 1 else range(0)

    def linked(self, a: Element, b: Element) -> bool:
        """Whether `b` reads the one result of `a`, and nothing else reads it."""
        gives = a.step.gives
        if len(gives) != 1 or b.step.reads != gives or gives[0] in self.outputs:
            return False
        return all(u == b.place.path or encloses(b.place.path, u) for u in self.users[gives[0]])

    def boundary(self, place: Place) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What a scope reads from outside, in the order of its parameters, and what of it is read outside."""
        nodes = place.nodes()
        inner = {n.name for n in nodes}
        used = dict.fromkeys(i for n in nodes for i in n.inputs if i not in inner)
        declared = place.scope.inputs if place.scope else ()
        reads = (*dict.fromkeys(i for i in declared if i in used), *(i for i in used if i not in declared))
        given = [n.name for n in nodes if n.name in self.outputs or any(u not in inner for u in self.users[n.name])]
        ranks = {name: rank for rank, (_, name) in enumerate(place.scope.outputs)} if place.scope else {}
        given.sort(key=lambda name: (ranks.get(name, len(ranks)), self.order[name]))
        return reads, tuple(given)

    def first(self, place: Place) -> int:
        return min(self.order[n.name] for n in place.nodes())

    def in_block(self, path: str) -> bool:
        """Whether a place belongs to a block, which may have instances of several sizes."""
        while path := path.rpartition(".")[0]:
            if path in self.graph.scopes and self.graph.scopes[path].kind == "block":
                return True
        return False

    def sizes(self, place: Place) -> str:
        """`448 -> 28` where one map comes in and one goes out; `28` where the size stays."""
        reads, gives = self.boundary(place)
        if len(reads) != 1 or len(gives) != 1:
            return size(self.graph[gives[0]]) if len(gives) == 1 else ""
        before, after = size(self.graph[reads[0]]), size(self.graph[gives[0]])
        return after if before == after else f"{before} -> {after}"

    def change(self, place: Place) -> str:
        sizes = self.sizes(place)
        return sizes if "->" in sizes else ""


def written_at(place: Place) -> Span | None:
    """Where the spec has it: the let, the call of the block, or the op."""
    if place.node:
        return place.node.span
    return (place.scope.call or place.scope.span) if place.scope else None


def size(node: Node) -> str:
    """The height, `height x width` where they differ, or the features of a vector."""
    if not node.type.is_map:
        return "x".join(map(str, node.type.shape))
    height, width = node.type.height, node.type.width
    return str(height) if height == width else f"{height}x{width}"

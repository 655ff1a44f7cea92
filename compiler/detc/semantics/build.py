"""Builds a model while its spec is evaluated: nodes in execution order, in a tree of the places they were written in.

Names come last (naming.py), when it is known which `let` holds one layer and which holds many.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from detc.diagnostics import Related, Span
from detc.ir.op import Op, Problem
from detc.ir.types import TensorType
from detc.semantics import limits, model_rules, rules
from detc.semantics.environment import Context
from detc.semantics.layers import Shared
from detc.semantics.values import BROKEN, TensorRef, Value
from detc.syntax import tree

LARGEST_TENSOR = 2**34


class Place:
    """Where nodes are made: `kind` is model, let, block, pipeline, repeat, list, or item (one of a repeat or list).

    `label` is a name given in the spec, `base` what an ordinal is put behind. `value` is what the place evaluated to.
    """

    __slots__ = (
        "base", "block", "call", "children", "doc", "input_names", "inputs", "kind", "label", "members", "params", "parent",
        "path", "span", "value",
    )  # fmt: skip

    def __init__(
        self, kind: str, base: str = "", label: str = "", span: Span | None = None, call: Span | None = None
    ) -> None:
        self.kind = kind
        self.base = base
        self.label = label
        self.span = span
        self.call = call
        self.children: list[Place | Made] = []
        self.parent: Place | None = None
        self.block = ""
        self.params: list[tuple[str, Value]] = []
        self.inputs: list[TensorRef] = []
        self.input_names: list[str] = []
        self.members: dict[str, Value] = {}
        self.value: Value = None
        self.doc = ""
        self.path = ""


@dataclass(slots=True, eq=False)
class Made:
    """A node before it has its name. `module` is the node whose weights it uses, None for its own."""

    op: Op
    inputs: tuple[Made, ...]
    type: TensorType
    span: Span | None
    via: tuple[Span, ...]
    arguments: Mapping[str, Span]
    base: str
    host: bool
    parent: Place
    module: Made | None = None
    label: str = ""
    path: str = ""
    kind: str = "node"
    children: tuple[()] = ()


@dataclass(slots=True)
class Recording:
    """The nodes that a shared layer made when it was first applied; applied again, `next` counts along."""

    shared: Shared
    nodes: list[Made] = field(default_factory=list)
    fresh: list[Made] = field(default_factory=list)
    next: int = 0


class Builder:
    """The model under construction. `via` are the calls that led to the text now evaluated, outermost first."""

    def __init__(self, context: Context, name: str, span: Span) -> None:
        self.context = context
        self.name = name
        self.root = Place("model", label=name, span=span)
        self.place = self.root
        self.nodes: list[Made] = []
        self.via: tuple[Span, ...] = ()
        self.on_host = False
        self.active: list[tree.Block] = []
        self.lists: frozenset[int] = frozenset()
        self._shared: dict[int, Recording] = {}
        self._recording: list[Recording] = []
        self._replaying: Recording | None = None

    # ---- places -----------------------------------------------------------------------------------------------------

    @contextmanager
    def inside(self, place: Place) -> Iterator[Place]:
        """Nodes made meanwhile belong to `place`; a place without any leaves no trace."""
        outer, self.place = self.place, place
        place.parent = outer
        outer.children.append(place)
        try:
            yield place
        finally:
            self.place = outer
            if not place.children:
                outer.children.pop()

    @contextmanager
    def called(self, span: Span) -> Iterator[None]:
        """What is made meanwhile was called at `span`."""
        outer, self.via = self.via, (*self.via, span)
        try:
            yield
        finally:
            self.via = outer

    @contextmanager
    def hosted(self) -> Iterator[None]:
        outer, self.on_host = self.on_host, True
        try:
            yield
        finally:
            self.on_host = outer

    # ---- nodes ------------------------------------------------------------------------------------------------------

    def apply(
        self,
        op: type[Op],
        given: Mapping[str, object],
        inputs: Sequence[TensorRef],
        span: Span | None,
        written: Mapping[str, Span],
    ) -> Value:
        """A node of `op` on `inputs`; BROKEN with a finding where the op refuses them."""
        types = [tensor.type for tensor in inputs]
        made = op.make(types, dict(given))
        if isinstance(made, Problem):
            return self._impossible(op.name, made, span)
        return self.add(made, inputs, span, written, op.name)

    def add(
        self,
        op: Op,
        inputs: Sequence[TensorRef],
        span: Span | None,
        written: Mapping[str, Span],
        base: str,
        label: str = "",
    ) -> Value:
        """A node of the finished op; `base` is the word it was written by."""
        types = [tensor.type for tensor in inputs]
        inferred = op.infer(types)
        if isinstance(inferred, Problem):
            return self._impossible(base, inferred, span)
        if inferred.elements > LARGEST_TENSOR:
            return self.context.refuse(
                model_rules.TOO_BIG_TENSOR, span, name=base, actual=str(inferred), allowed=f"{LARGEST_TENSOR:,}"
            )
        self.context.nodes += 1
        if self.context.nodes > limits.NODES:
            raise limits.Stop(rules.TOO_MANY_NODES(span, allowed=f"{limits.NODES:,}"))
        made = Made(
            op, tuple(tensor.made for tensor in inputs), inferred, span, self.via, written, base, self.on_host, self.place,
            label=label,
        )  # fmt: skip
        if self._replaying is not None and not self._replay(made, self._replaying):
            return BROKEN
        for recording in self._recording:
            recording.nodes.append(made)
        self.nodes.append(made)
        self.place.children.append(made)
        return TensorRef(made)

    def _impossible(self, name: str, problem: Problem, span: Span | None) -> Value:
        related = tuple(Related(call, "applied from here") for call in self.via[-1:])
        return self.context.refuse(
            model_rules.NOT_POSSIBLE, span, name=name, reason=problem.message, remedy=problem.help, related=related
        )

    # ---- shared layers ----------------------------------------------------------------------------------------------

    @contextmanager
    def sharing(self, shared: Shared) -> Iterator[None]:
        """The first time it records what is made, from then on what is made uses the weights of the first."""
        if self._replaying is not None:
            # Inside a shared layer every part is shared already.
            yield
            return
        first = self._shared.get(id(shared))
        if first is None:
            recording = Recording(shared)
            self._recording.append(recording)
            try:
                yield
            finally:
                self._recording.remove(recording)
                self._shared[id(shared)] = recording
            return
        first.next, first.fresh = 0, []
        self._replaying = first
        try:
            yield
        finally:
            self._replaying = None
            if not any(node.op.params([i.type for i in node.inputs]) for node in first.nodes):
                for node in first.fresh:
                    node.module = None

    def _replay(self, made: Made, recording: Recording) -> bool:
        """Gives a node the module of its twin in the first application; a finding where they differ."""
        owner = recording.nodes[recording.next] if recording.next < len(recording.nodes) else None
        recording.next += 1
        reason = "it would have more layers than where it is first applied"
        if owner is not None:
            mine, theirs = [i.type for i in made.inputs], [i.type for i in owner.inputs]
            if type(made.op) is type(owner.op) and made.op.params(mine) == owner.op.params(theirs):
                made.module = owner.module or owner
                recording.fresh.append(made)
                return True
            reason = (
                f"it meets {', '.join(map(str, mine))}, and {', '.join(map(str, theirs))} where it is first applied"
            )
        related = (Related(owner.span, "its weights belong here"),) if owner and owner.span else ()
        self.context.refuse(
            model_rules.NOT_SHARED,
            made.span,
            name=recording.shared.label or recording.shared.name,
            reason=reason,
            related=related,
        )
        return False

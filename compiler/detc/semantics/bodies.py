"""The items inside of blocks and models: lets, outputs, defaults, conditions, loops. Also the lets at the top of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from detc.diagnostics import Related, Span
from detc.ir.op import Op
from detc.ir.ops import OPS
from detc.semantics import model_rules, rules
from detc.semantics.arguments import convert
from detc.semantics.build import Place
from detc.semantics.environment import Environment, remedy
from detc.semantics.evaluate import evaluate
from detc.semantics.layers import FUNCTIONS, BlockFunction, Composition, Shared
from detc.semantics.loops import condition, elements, spread
from detc.semantics.values import BROKEN, TENSOR_ATTRIBUTES, Value, describe, is_broken, tensors_in
from detc.semantics.words import argument_remedy, words_of
from detc.syntax import tree

_BINDING = ("model", "data", "target")
"""Blocks at the top of a file whose labels are names that others may use."""
KINDS = ("let", "output", "block", "default")


class Body:
    """Runs the items of one block or model. `members` are its lets and outputs by name, in order."""

    def __init__(self, scope: Environment, place: str) -> None:
        self.scope = scope
        self.context = scope.context
        self.place = place
        self.members: dict[str, Value] = {}
        self.outputs: dict[str, Span] = {}

    kinds: tuple[str, ...] = KINDS
    reserved: tuple[str, ...] = TENSOR_ATTRIBUTES
    """Names that could not be reached as members."""

    @property
    def broken(self) -> bool:
        """Whether an output has a mistake: what uses it cannot be judged."""
        return any(is_broken(self.members[name]) for name in self.outputs)

    def run(self, items: Sequence[tree.AnyItem]) -> None:
        hoist(items, self.scope)
        self.items(items)

    def items(self, items: Sequence[tree.AnyItem]) -> None:
        for item in items:
            self.context.tick(item.span)
            self.context.enter(item.span)
            try:
                self.item(item)
            finally:
                self.context.depth -= 1

    def item(self, item: tree.AnyItem) -> None:
        if isinstance(item, tree.If):
            verdict = condition(item.condition, self.scope)
            if verdict is not BROKEN:
                self.items(item.items if verdict else item.otherwise)
        elif isinstance(item, tree.For):
            self._for(item)
        elif isinstance(item, tree.Require):
            self.require(item)
        elif isinstance(item, tree.Named) and item.kind.id in ("let", "output"):
            self._define(item)
        elif block_name(item):
            if block_name(item) not in self.scope.names:
                hoist((item,), self.scope)
        elif isinstance(item, tree.Block) and item.kind.id == "default":
            set_defaults(item, self.scope)
        else:
            self.other(item)

    def other(self, item: tree.AnyItem) -> None:
        """An item that this place does not know."""
        kind = getattr(item, "kind", None) or (item.path[0] if isinstance(item, (tree.Assign, tree.Bound)) else None)
        if isinstance(kind, tree.Name):
            if kind.id in self.kinds:
                fix = f"write `{kind.id} NAME = VALUE`" if kind.id in ("let", "output") else ""
                self.context.refuse(
                    model_rules.INCOMPLETE,
                    item.span,
                    what=f"this `{kind.id}`",
                    allowed="a name and a value",
                    remedy=fix,
                )
                return
            span, word = kind.span, kind.id
        else:
            span, word = item.span, "use" if isinstance(item, tree.Use) else self.context.text(item.span)
        self.context.refuse(
            rules.UNKNOWN_ITEM, span, name=word, place=self.place, remedy=remedy(word, self.kinds), label="unknown here"
        )

    def _define(self, item: tree.Named) -> None:
        kind, name = item.kind.id, item.name.id
        if name in self.reserved:
            self.context.refuse(rules.RESERVED_NAME, item.name.span, name=name)
        value = define(item, self.scope)
        if kind == "output":
            if name in self.outputs:
                related = (Related(self.outputs[name], "first defined here"),)
                self.context.refuse(rules.REDEFINED, item.name.span, name=name, related=related, label="defined again")
                return
            self.outputs[name] = item.name.span
            if not is_broken(value) and not _all_tensors(value):
                self.context.refuse(model_rules.OUTPUT_KIND, item.value.span, name=name, actual=describe(value))
                value = BROKEN
        self.members.setdefault(name, value)

    def _for(self, item: tree.For) -> None:
        """Each round has a scope of its own; layers made in it are numbered from 0."""
        builder = self.context.builder
        rounds = elements(item.source, self.scope, "`for`")
        outer = self.scope
        if rounds is None:
            return

        def run() -> None:
            for element in rounds:
                self.scope = outer.child()
                if spread(item.names, element, self.scope, item.source.span):
                    if builder is None:
                        self.items(item.items)
                    else:
                        with builder.inside(Place("item", span=item.span)):
                            self.items(item.items)

        try:
            if builder is None:
                run()
            else:
                with builder.inside(Place("list", "loop", span=item.span)):
                    run()
        finally:
            self.scope = outer

    def require(self, item: tree.Require) -> None:
        """Judged at once: a block knows all that its conditions may speak of."""
        verdict = condition(item.condition, self.scope, "what `require` states")
        if verdict is False:
            text = self.context.text(item.condition.span)
            message = item.message.value if item.message else f"the spec requires `{text}`"
            related = tuple(Related(call, "applied from here") for call in self.context.calls()[-1:])
            self.context.refuse(
                model_rules.BROKEN_REQUIRE, item.span, message=message, related=related, label=f"`{text}` does not hold"
            )


def _all_tensors(value: Value) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_all_tensors(item) for item in value)
    return not isinstance(value, tuple) and next(tensors_in(value), None) is not None


# ---- lets -----------------------------------------------------------------------------------------------------------


def define(item: tree.Named, scope: Environment) -> Value:
    """Evaluates a `let` or `output` and binds its name; in a model its layers take their names from it."""
    builder = scope.context.builder
    if builder is None:
        value = evaluate(item.value, scope)
    else:
        outer, builder.lists = builder.lists, _top_lists(item.value)
        try:
            with builder.inside(Place("let", label=item.name.id, span=item.span)) as place:
                place.doc = item.doc
                value = evaluate(item.value, scope)
                place.value = value
        finally:
            builder.lists = outer
    value = _held(value, item)
    scope.bind(item.name.id, value, item.name.span)
    return value


def _held(value: Value, item: tree.Named) -> Value:
    """A layer that a let holds is one layer, wherever it is applied."""
    if not isinstance(value, FUNCTIONS) or isinstance(value, Shared):
        return value
    if isinstance(value, Composition) and value.parts and not value.label:
        value = replace(value, label=item.name.id)
    return Shared(value, item.value.span, item.name.id)


def _top_lists(expr: tree.Expr) -> frozenset[int]:
    """The lists written in a let that are its value or part of it (`[a, b] + [c]`), and not inside of calls."""
    found: list[int] = []
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tree.List):
            found.append(id(node))
        elif isinstance(node, tree.Binary) and node.op == "+":
            waiting += (node.left, node.right)
        elif isinstance(node, tree.Choice):
            waiting += (node.yes, node.no)
    return frozenset(found)


# ---- blocks and defaults --------------------------------------------------------------------------------------------


def block_name(item: tree.AnyItem) -> str:
    """The name of a `block` item, empty for any other."""
    if isinstance(item, tree.Block) and item.kind.id == "block" and isinstance(item.label, tree.Name):
        return item.label.id
    return ""


def hoist(items: Sequence[tree.AnyItem], scope: Environment) -> None:
    """Binds all blocks of a scope, so that their order does not matter, and notes where the other names come up."""
    later: dict[str, Span] = {}
    for item in items:
        if name := block_name(item):
            assert isinstance(item, tree.Block) and item.label is not None
            value: Value = BROKEN if _doubled_param(item) else BlockFunction(item, scope)
            scope.bind(name, value, item.label.span)
        elif isinstance(item, (tree.Named, tree.Typed)):
            later.setdefault(item.name.id, item.name.span)
        elif isinstance(item, tree.Block) and isinstance(item.label, tree.Name) and item.kind.id in _BINDING:
            later.setdefault(item.label.id, item.label.span)
    scope.later = {**scope.later, **later}


def _doubled_param(item: tree.Block) -> bool:
    """Whether two parameters have one name; the parser has said so then."""
    names = [param.name.id for param in item.params or ()]
    return len(set(names)) < len(names)


def _op_named(name: str) -> type[Op] | None:
    """The op of that name; one of a library goes by its own name: `default sigma_delta { .. }` is of `neuron.sigma_delta`."""
    return OPS.get(name) or next((op for full, op in OPS.items() if full.rpartition(".")[2] == name), None)


def set_defaults(item: tree.AnyItem, scope: Environment) -> None:
    """`default bn { eps = 1e-3 }`: the op's defaults from here on, in this scope and below."""
    context = scope.context
    if not isinstance(item, tree.Block) or not isinstance(item.label, tree.Name):
        fix = "write `default OP { ARGUMENT = VALUE }`"
        context.refuse(model_rules.INCOMPLETE, item.span, what="`default`", allowed="the name of an op", remedy=fix)
        return
    op = _op_named(item.label.id)
    if op is None:
        hint = remedy(item.label.id, [full.rpartition(".")[2] for full in OPS])
        context.refuse(rules.UNKNOWN_NAME, item.label.span, name=item.label.id, remedy=hint, label="not an op")
        return
    values: dict[str, tuple[Any, Span]] = {}
    for entry in item.items:
        if not isinstance(entry, tree.Assign) or len(entry.path) != 1:
            context.refuse(
                rules.UNKNOWN_ITEM, entry.span, name=context.text(entry.span), place="`default`",
                remedy="write `ARGUMENT = VALUE`",
            )  # fmt: skip
            continue
        name = entry.path[0]
        slot = next((a for a in op.arguments if a.name == name.id), None)
        if slot is None:
            hint = argument_remedy(name.id, op)
            context.refuse(rules.UNKNOWN_ARGUMENT, name.span, function=op.name, name=name.id, remedy=hint)
            continue
        if name.id in values:
            context.refuse(rules.DOUBLED_ARGUMENT, entry.span, function=op.name, name=name.id)
            continue
        value = convert(slot, evaluate(entry.value, scope, words_of(slot)), entry.value, op.name, context)
        if value is not BROKEN:
            values[name.id] = (value, entry.span)
    scope.set_default(op.name, values)

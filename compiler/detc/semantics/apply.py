"""Applies functions to tensors: ops make nodes, blocks are expanded, compositions and repetitions go stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from detc.diagnostics import Related, Span
from detc.semantics import model_rules, rules
from detc.semantics.bodies import Body
from detc.semantics.build import Place
from detc.semantics.environment import Context, Environment, remedy
from detc.semantics.evaluate import evaluate
from detc.semantics.layers import BlockFunction, Composition, Function, OnHost, OpFunction, Repeat
from detc.semantics.values import (
    BROKEN,
    BlockInstance,
    TensorRef,
    Value,
    as_tensor,
    describe,
    is_broken,
    is_tensor_like,
    tensors_in,
)
from detc.semantics.words import ARGUMENT_WORDS
from detc.syntax import tree

Given = tuple[Value, Span]


def apply(function: Function, inputs: Sequence[Value], use: Span, scope: Environment) -> Value:
    """What `function` makes of `inputs`, written at `use`; BROKEN with findings where it cannot."""
    context = scope.context
    if any(is_broken(value) for value in inputs):
        return BROKEN
    context.tick(use)
    context.enter(use)
    try:
        if context.builder is not None and _elsewhere(function.span, use):
            with context.builder.called(use):
                return _apply(function, inputs, use, scope)
        return _apply(function, inputs, use, scope)
    finally:
        context.depth -= 1


def _apply(function: Function, inputs: Sequence[Value], use: Span, scope: Environment) -> Value:
    if isinstance(function, OpFunction):
        return _apply_op(function, inputs, use, scope)
    if isinstance(function, BlockFunction):
        return apply_block(function, [(value, use) for value in inputs], use, scope)
    if isinstance(function, Composition):
        return _apply_composition(function, inputs, use, scope)
    if isinstance(function, Repeat):
        return _apply_repeat(function, inputs, use, scope)
    builder = scope.context.builder
    assert builder is not None
    if isinstance(function, OnHost):
        with builder.hosted():
            return apply(function.function, inputs, use, scope)
    with builder.sharing(function):
        return apply(function.function, inputs, use, scope)


def _elsewhere(definition: Span | None, use: Span) -> bool:
    """Whether a function was written outside of the place that applies it: a parameter, a let."""
    if definition is None or definition.file != use.file:
        return definition is not None
    start, end = (definition.line, definition.column), (definition.end_line, definition.end_column)
    return start < (use.line, use.column) or end > (use.end_line, use.end_column)


# ---- ops ------------------------------------------------------------------------------------------------------------


def _apply_op(function: OpFunction, inputs: Sequence[Value], use: Span, scope: Environment) -> Value:
    context = scope.context
    op = function.op
    values = [*inputs, *function.partial]
    tensors: list[TensorRef] = []
    for value in values:
        tensor = as_tensor(value)
        if tensor is not None:
            tensors.append(tensor)
        elif op.arity is None and is_tensor_like(value):
            tensors.extend(tensors_in(value))
        else:
            return context.refuse(
                rules.NOT_A_TENSOR, use, function=op.name, allowed="a tensor", actual=describe(value), remedy=""
            )
    if op.arity is not None and len(tensors) != op.arity:
        allowed = "one tensor" if op.arity == 1 else f"{op.arity} tensors"
        return context.refuse(
            rules.NOT_A_TENSOR, use, function=op.name, allowed=allowed, actual=str(len(tensors)), remedy=""
        )
    missing = [a.name for a in op.arguments if a.required and a.name not in function.given]
    for name in missing:
        context.refuse(
            rules.MISSING_ARGUMENT,
            function.span or use,
            function=op.name,
            name=name,
            remedy=f"write `{op.name}({name})`",
        )
    builder = context.builder
    if missing or builder is None:
        return BROKEN
    return builder.apply(op, function.given, tensors, function.span or use, function.written)


# ---- compositions and repetitions -----------------------------------------------------------------------------------


def _apply_composition(function: Composition, inputs: Sequence[Value], use: Span, scope: Environment) -> Value:
    builder = scope.context.builder
    assert builder is not None
    if not function.parts:
        return inputs[0] if len(inputs) == 1 else list(inputs)
    with builder.inside(Place("pipeline", function.name, span=function.span, call=use)) as place:
        values: Sequence[Value] = inputs
        for part in function.parts:
            result = apply(part, values, part.span or use, scope)
            if result is BROKEN:
                return BROKEN
            values = [result]
        place.value = values[0]
    return place.value


def _apply_repeat(function: Repeat, inputs: Sequence[Value], use: Span, scope: Environment) -> Value:
    context = scope.context
    builder = context.builder
    assert builder is not None
    with builder.inside(Place("repeat", function.name, span=function.span, call=use)) as place:
        values: Sequence[Value] = inputs
        for number in range(function.times):
            context.tick(use)
            part = function.round(number)
            with builder.inside(Place("item", span=function.span)) as item:
                item.value = apply(part, values, (part.span if function.others else function.span) or use, scope)
            if item.value is BROKEN:
                return BROKEN
            values = [item.value]
        place.value = values[0]
    return place.value


# ---- blocks ---------------------------------------------------------------------------------------------------------


def apply_block(function: BlockFunction, given: Sequence[Given], use: Span, scope: Environment) -> Value:
    """Expands a block: `given` fill its parameters from the first on, then come the arguments it holds already."""
    context = scope.context
    definition = function.definition
    if definition in _Identities(context.active):
        related = (_defined(definition),)
        return context.refuse(rules.RECURSION, function.span or use, name=function.name, related=related)
    inner = Environment(context, function.home)
    inner.defaults = _defaults(function, scope)
    context.active.append(definition)
    context.expanded.add(id(definition))
    try:
        bound = _bind(function, given, use, inner)
        return BROKEN if bound is None else _expand(function, bound, use, inner)
    finally:
        context.active.pop()


class _Identities:
    """`in` by identity: comparing syntax trees by value would walk them whole."""

    def __init__(self, blocks: Sequence[tree.Block]) -> None:
        self.blocks = blocks

    def __contains__(self, block: tree.Block) -> bool:
        return any(other is block for other in self.blocks)


def _defaults(function: BlockFunction, scope: Environment) -> Mapping[str, Mapping[str, tuple[Value, Span]]]:
    """Op defaults inside the block: those where it is applied, and over them those of its own file if that is another one."""
    home = function.home.defaults
    if not home or function.home.file is scope.file:
        return scope.defaults if scope.defaults else home
    return {op: {**scope.defaults.get(op, {}), **home.get(op, {})} for op in {*scope.defaults, *home}}


def _bind(
    function: BlockFunction, given: Sequence[Given], use: Span, inner: Environment
) -> list[tuple[str, Value]] | None:
    """Binds every parameter in `inner`, defaults evaluated in their order; None with findings if that fails."""
    context = inner.context
    definition, name = function.definition, function.name
    params = definition.params or ()
    positional = [*given, *function.args]
    good = True
    if len(positional) > len(params):
        too_many(function, len(positional), positional[len(params)][1], context)
        return None
    values: dict[str, Given] = {param.name.id: value for param, value in zip(params, positional, strict=False)}
    for key, held in function.kwargs.items():
        if key in values:
            context.refuse(rules.DOUBLED_ARGUMENT, held[1], function=name, name=key)
            good = False
        values[key] = held
    bound: list[tuple[str, Value]] = []
    for param in params:
        key = param.name.id
        value: Value = BROKEN
        if key in values:
            value = values[key][0]
        elif param.default is not None:
            value = evaluate(param.default, inner, ARGUMENT_WORDS)
        else:
            context.refuse(
                rules.MISSING_ARGUMENT, function.span or use, function=name, name=key, remedy=f"add `{key} = ..`",
                related=(_defined(definition),),
            )  # fmt: skip
        good = good and value is not BROKEN
        inner.bind(key, value, param.name.span)
        bound.append((key, value))
    return bound if good else None


def _expand(function: BlockFunction, bound: list[tuple[str, Value]], use: Span, inner: Environment) -> Value:
    definition = function.definition
    builder = inner.context.builder
    call = function.span or use
    place = Place("block", function.name, span=definition.span, call=call)
    place.block, place.doc = function.name, definition.doc
    for name, value in bound:
        if is_tensor_like(value):
            tensors = list(tensors_in(value))
            place.inputs.extend(tensors)
            place.input_names.extend([name] if len(tensors) == 1 else [f"{name}{i}" for i in range(len(tensors))])
        else:
            place.params.append((name, value))
    if builder is None:
        return _result(definition, inner, place)
    with builder.called(call), builder.inside(place), _own_lists(inner.context):
        return _result(definition, inner, place)


@contextmanager
def _own_lists(context: Context) -> Iterator[None]:
    """The lists that a let numbers are those of its own text, not of the blocks it applies."""
    assert context.builder is not None
    outer, context.builder.lists = context.builder.lists, frozenset()
    try:
        yield
    finally:
        context.builder.lists = outer


def _result(definition: tree.Block, inner: Environment, place: Place) -> Value:
    if definition.result is not None:
        place.value = evaluate(definition.result, inner)
        return place.value
    body = Body(inner, "a block")
    body.run(definition.items)
    place.members = body.members
    if body.broken:
        return BROKEN
    instance = BlockInstance(place.block, body.members, tuple(body.outputs))
    if not instance.outputs:
        inner.context.refuse(
            model_rules.INCOMPLETE, definition.span, what=f"block `{place.block}`", allowed="an output",
            remedy="write `output y = ..`, or `block f(x) = ..` for a single expression",
        )  # fmt: skip
        return BROKEN
    return instance


def _defined(definition: tree.Block) -> Related:
    label = definition.label or definition.kind
    return Related(definition.kind.span.to(label.span), "the block is defined here")


def too_many(function: BlockFunction, actual: int, span: Span, context: Context) -> Value:
    params = function.definition.params or ()
    names = ", ".join(param.name.id for param in params) or "none"
    return context.refuse(
        rules.TOO_MANY_ARGUMENTS, span, function=function.name, allowed=f"{len(params)} arguments ({names})",
        actual=actual, remedy="", related=(_defined(function.definition),),
    )  # fmt: skip


def unknown_arguments(function: BlockFunction, kwargs: Mapping[str, Span], context: Context) -> bool:
    """Reports the names among `kwargs` that the block does not take; True if there are any."""
    names = [param.name.id for param in function.definition.params or ()]
    found = False
    for name, span in kwargs.items():
        if name not in names:
            found = True
            context.refuse(
                rules.UNKNOWN_ARGUMENT, span, function=function.name, name=name, remedy=remedy(name, names),
                label="not an argument", related=(_defined(function.definition),),
            )  # fmt: skip
    return found

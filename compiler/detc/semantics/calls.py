"""Calls: which argument is which, what kind each must be, and whether tensors are there to apply the function to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from detc.diagnostics import Span
from detc.ir.op import Argument, Op
from detc.ir.ops import OPS
from detc.semantics import rules
from detc.semantics.apply import apply, apply_block, too_many, unknown_arguments
from detc.semantics.arguments import convert
from detc.semantics.environment import Environment, remedy
from detc.semantics.evaluate import ANY_WORD, NO_WORDS, Words, evaluate
from detc.semantics.functions import Invocation
from detc.semantics.layers import FUNCTIONS, BlockFunction, Native, OpFunction
from detc.semantics.program import Model
from detc.semantics.values import BROKEN, Symbol, Term, Value, describe, is_broken, is_tensor_like
from detc.semantics.words import ARGUMENT_WORDS, argument_remedy, words_of
from detc.syntax import tree

Given = tuple[Value, Span]


def call(expr: tree.Call, scope: Environment, words: Words, piped: Sequence[Given] = ()) -> Value:
    """`f(args)`, with `piped` in front of the arguments. Without its tensors a layer stays a function."""
    named = expr.function
    if isinstance(named, tree.Name) and named.id in words and not scope.bound(named.id):
        return _term(Symbol(named.id, named.span), expr, scope)
    function = evaluate(named, scope, words)
    if isinstance(function, Symbol):
        return _term(function, expr, scope)
    if isinstance(function, OpFunction):
        return _call_op(function, expr, scope, piped)
    if isinstance(function, BlockFunction):
        return _call_block(function, expr, scope, piped)
    if isinstance(function, Native):
        return _call_native(function, expr, scope, piped)
    if isinstance(function, FUNCTIONS):
        return _call_layer(function, expr, scope, piped)
    for part in (*expr.args, *(kwarg.value for kwarg in expr.kwargs)):
        # A bare name may be a word that the unknown function takes.
        evaluate(part, scope, ANY_WORD if isinstance(part, tree.Name) else ARGUMENT_WORDS)
    if function is BROKEN:
        return BROKEN
    actual = f"the model `{function.name}`" if isinstance(function, Model) else describe(function)
    return scope.context.refuse(rules.NOT_A_FUNCTION, named.span, actual=actual)


def _term(word: Symbol, expr: tree.Call, scope: Environment) -> Value:
    """A word with arguments, for whoever knows the word."""
    args = tuple(evaluate(arg, scope, ANY_WORD) for arg in expr.args)
    kwargs = tuple((kwarg.name.id, evaluate(kwarg.value, scope, ANY_WORD)) for kwarg in expr.kwargs)
    if is_broken(args) or any(value is BROKEN for _, value in kwargs):
        return BROKEN
    spans = (*(arg.span for arg in expr.args), *(kwarg.span for kwarg in expr.kwargs))
    return Term(word.name, args, kwargs, expr.span, spans)


# ---- ops ------------------------------------------------------------------------------------------------------------


_DEFAULTS: dict[str, Mapping[str, Any]] = {
    name: {a.name: a.default for a in op.arguments if not a.required} for name, op in OPS.items()
}
"""The defaults of each op's arguments by the registry."""


def named_op(op: type[Op], scope: Environment, span: Span) -> OpFunction:
    """The op as named at `span`, with the defaults in force in `scope`."""
    local = scope.defaults.get(op.name)
    if not local:
        return OpFunction(op, _DEFAULTS[op.name], {}, span)
    given = {**_DEFAULTS[op.name], **{name: value for name, (value, _) in local.items()}}
    return OpFunction(op, given, {name: at for name, (_, at) in local.items()}, span)


def bare(function: OpFunction | BlockFunction, scope: Environment, span: Span) -> Value:
    """A library's op or a block, as named at `span`."""
    if isinstance(function, OpFunction):
        return named_op(function.op, scope, span)
    return replace(function, span=span)


def _call_op(function: OpFunction, expr: tree.Call, scope: Environment, piped: Sequence[Given]) -> Value:
    op = function.op
    tensors: list[Value] = []
    good = True
    for value, span in piped:
        good = good and not is_broken(value)
        if good and not is_tensor_like(value):
            allowed = "a tensor"
            return scope.context.refuse(
                rules.NOT_A_TENSOR, span, function=op.name, allowed=allowed, actual=describe(value), remedy=""
            )
        tensors.append(value)
    given, written = dict(function.given), dict(function.written)
    slots = _by_order(op)
    used = 0
    by_order: set[str] = set()
    by_name: set[str] = set()
    excess: list[tree.Expr] = []
    for arg in expr.args:
        words = words_of(slots[used]) if used < len(slots) else NO_WORDS
        value = evaluate(arg, scope, words)
        if value is BROKEN:
            good = False
            if used < len(slots):
                given[slots[used].name] = BROKEN
            used += 1
        elif not used and is_tensor_like(value) and (op.arity is None or len(tensors) < op.arity):
            tensors.append(value)
        elif used < len(slots):
            slot, used = slots[used], used + 1
            good = _give(slot, value, arg, op, given, scope) and good
            by_order.add(slot.name)
            written[slot.name] = arg.span
        else:
            excess.append(arg)
    if excess and good:
        good = _excess(op, slots, excess[0], used + len(excess), scope)
    for kwarg in expr.kwargs:
        name = kwarg.name.id
        if name in by_order:
            scope.context.refuse(rules.DOUBLED_ARGUMENT, kwarg.span, function=op.name, name=name)
        # The parser has said so where a name is given twice.
        good = name not in by_order and name not in by_name and _keyword(op, kwarg, given, written, scope) and good
        by_name.add(name)
    result = OpFunction(op, given, written, expr.span, tuple(tensors))
    if tensors and (op.arity is None or len(tensors) == op.arity):
        if not good:
            _missing(op, given, expr, scope)
            return BROKEN
        return apply(replace(result, partial=()), tensors, expr.span, scope)
    return result if good else BROKEN


def _by_order(op: type[Op]) -> tuple[Argument, ...]:
    """The arguments that may stand by their order."""
    first = next((i for i, a in enumerate(op.arguments) if a.keyword), len(op.arguments))
    return op.arguments[:first]


def _give(
    slot: Argument, value: Value, expr: tree.Expr, op: type[Op], given: dict[str, Any], scope: Environment
) -> bool:
    converted = convert(slot, value, expr, op.name, scope.context)
    given[slot.name] = converted
    return converted is not BROKEN


def _keyword(
    op: type[Op],
    kwarg: tree.Kwarg,
    given: dict[str, Any],
    written: dict[str, Span],
    scope: Environment,
) -> bool:
    name = kwarg.name.id
    slot = next((a for a in op.arguments if a.name == name), None)
    value = evaluate(kwarg.value, scope, words_of(slot) if slot else ARGUMENT_WORDS)
    if slot is None:
        scope.context.refuse(
            rules.UNKNOWN_ARGUMENT, kwarg.name.span, function=op.name, name=name, label="not an argument",
            remedy=argument_remedy(name, op),
        )  # fmt: skip
        return False
    written[name] = kwarg.span
    return _give(slot, value, kwarg.value, op, given, scope)


def _excess(op: type[Op], slots: Sequence[Argument], arg: tree.Expr, actual: int, scope: Environment) -> bool:
    count = len(slots)
    allowed = {0: "no argument by order", 1: f"one argument by order ({slots[0].name})" if slots else ""}.get(
        count, f"{count} arguments by order ({', '.join(a.name for a in slots)})"
    )
    named = [a.name for a in op.arguments[count:]]
    hint = f"give the rest by name, as in `{named[0]} = {scope.context.text(arg.span)}`" if named else ""
    scope.context.refuse(
        rules.TOO_MANY_ARGUMENTS, arg.span, function=op.name, allowed=allowed, actual=actual, remedy=hint
    )
    return False


def _missing(op: type[Op], given: Mapping[str, Any], expr: tree.Call, scope: Environment) -> None:
    for argument in op.arguments:
        if argument.required and argument.name not in given:
            scope.context.refuse(
                rules.MISSING_ARGUMENT, expr.span, function=op.name, name=argument.name,
                remedy=f"write `{op.name}({argument.name})`",
            )  # fmt: skip


# ---- blocks ---------------------------------------------------------------------------------------------------------


def _call_block(function: BlockFunction, expr: tree.Call, scope: Environment, piped: Sequence[Given]) -> Value:
    context = scope.context
    args = [(evaluate(arg, scope, ARGUMENT_WORDS), arg.span) for arg in expr.args]
    kwargs = {kwarg.name.id: (evaluate(kwarg.value, scope, ARGUMENT_WORDS), kwarg.span) for kwarg in expr.kwargs}
    given = [*piped, *args]
    good = not any(is_broken(value) for value, _ in (*given, *kwargs.values()))
    if unknown_arguments(function, {kwarg.name.id: kwarg.name.span for kwarg in expr.kwargs}, context):
        good = False
    params = function.definition.params or ()
    direct = bool(piped) or _is_direct(params, args, kwargs)
    room = len(params) - (0 if direct else 1)
    if len(given) + len(function.args) > room and (good or piped):
        too_many(function, len(given) + len(function.args) + (not direct), given[-1][1], context)
        good = False
    if not good:
        return BROKEN
    held = {**function.kwargs, **kwargs}
    if direct:
        return apply_block(replace(function, kwargs=held, span=expr.span), given, expr.span, scope)
    return replace(function, args=(*function.args, *args), kwargs=held, span=expr.span)


PLAIN_TYPES = ("int", "float", "bool", "str", "list", "map", "bits", "bytes")


def _is_direct(params: Sequence[tree.Param], args: Sequence[Given], kwargs: Mapping[str, Given]) -> bool:
    """Whether a call has its tensor. The first parameter of a block is one, unless its type says otherwise."""
    if not params or params[0].name.id in kwargs:
        return True
    if params[0].type is not None and params[0].type.name.id in PLAIN_TYPES:
        return True
    return bool(args) and is_tensor_like(args[0][0])


# ---- library functions and layers held by names ---------------------------------------------------------------------


def _call_native(function: Native, expr: tree.Call, scope: Environment, piped: Sequence[Given]) -> Value:
    context = scope.context
    args = [*piped, *((evaluate(arg, scope, function.words), arg.span) for arg in expr.args)]
    kwargs: dict[str, Value] = {}
    good = not any(is_broken(value) for value, _ in args)
    for kwarg in expr.kwargs:
        name = kwarg.name.id
        value = evaluate(kwarg.value, scope, function.words)
        if name not in function.keywords:
            good = False
            context.refuse(
                rules.UNKNOWN_ARGUMENT, kwarg.name.span, function=function.name, name=name, label="not an argument",
                remedy=remedy(name, function.keywords),
            )  # fmt: skip
        good = good and value is not BROKEN
        kwargs[name] = value
    if good and not function.least <= len(args) <= function.most:
        counts = f"{function.least}" if function.least == function.most else f"{function.least} to {function.most}"
        if function.most > 1000:
            counts = f"at least {function.least}"
        return context.refuse(
            rules.TOO_MANY_ARGUMENTS, expr.span, function=function.name, remedy="", actual=len(args),
            allowed=f"{counts} {'argument' if counts.endswith('1') else 'arguments'}",
        )  # fmt: skip
    if not good:
        return BROKEN
    values = tuple(value for value, _ in args)
    return function.call(Invocation(function.name, values, kwargs, tuple(s for _, s in args), expr.span, scope))


def _call_layer(function: Value, expr: tree.Call, scope: Environment, piped: Sequence[Given]) -> Value:
    """`c(x)` of a layer that a name holds: only tensors go in."""
    args = [*piped, *((evaluate(arg, scope, ARGUMENT_WORDS), arg.span) for arg in expr.args)]
    if expr.kwargs:
        kwarg = expr.kwargs[0]
        return scope.context.refuse(
            rules.UNKNOWN_ARGUMENT, kwarg.name.span, function=function.name, name=kwarg.name.id, label="not an argument",
            remedy="a layer that is complete takes tensors only; give its arguments where it is defined",
        )  # fmt: skip
    if any(is_broken(value) for value, _ in args):
        return BROKEN
    for value, span in args:
        if not is_tensor_like(value):
            return scope.context.refuse(
                rules.NOT_A_TENSOR, span, function=function.name, allowed="tensors", actual=describe(value), remedy=""
            )
    if not args:
        return scope.context.refuse(
            rules.NOT_A_TENSOR, expr.span, function=function.name, allowed="a tensor", actual="nothing", remedy=""
        )
    return apply(function, [value for value, _ in args], expr.span, scope)

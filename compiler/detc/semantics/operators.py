"""Operators in expressions: pipes and compositions, repetition, arithmetic, comparison, logic."""

from __future__ import annotations

from detc.ir.ops import OPS
from detc.semantics import limits, rules
from detc.semantics.apply import apply
from detc.semantics.arithmetic import combine, equal, wrong_operands
from detc.semantics.calls import call, named_op
from detc.semantics.environment import Context, Environment, unknown_name
from detc.semantics.evaluate import ANY_WORD, NO_WORDS, Words, evaluate
from detc.semantics.layers import FUNCTIONS, Composition, Repeat, Shared
from detc.semantics.loops import condition
from detc.semantics.values import BROKEN, Quantity, Symbol, Value, as_tensor, describe, is_broken, is_tensor_like
from detc.syntax import tree

OPERATOR_OPS = {"+": "add", "*": "mul"}
"""Operators that are ops where both sides are tensors."""


def unary(expr: tree.Unary, scope: Environment, words: Words) -> Value:
    ops: list[tree.Unary] = []
    operand: tree.Expr = expr
    while isinstance(operand, tree.Unary):
        ops.append(operand)
        operand = operand.operand
    value = evaluate(operand, scope)
    for node in reversed(ops):
        if value is BROKEN:
            return BROKEN
        if node.op == "not":
            if not isinstance(value, bool):
                what = "the operand of `not`"
                return scope.context.refuse(rules.NOT_BOOLEAN, operand.span, what=what, actual=describe(value))
            value = not value
        elif isinstance(value, Quantity):
            value = Quantity(-value.value, value.dimension)
        else:
            value = combine("-", 0, value, node.span, scope.context)
    return value


def binary(expr: tree.Binary, scope: Environment, words: Words) -> Value:
    """A chain such as `x |> a |> b |> c` leans to the left; it is walked in a loop, so its length costs no depth."""
    chain: list[tree.Binary] = []
    left: tree.Expr = expr
    while isinstance(left, tree.Binary):
        chain.append(left)
        left = left.left
    compared = chain[-1].op in ("==", "!=") and isinstance(left, tree.Name)
    value = evaluate(left, scope, ANY_WORD if compared else NO_WORDS)
    composed: list[Value] = []
    for node in reversed(chain):
        if node.op == "|>" and isinstance(value, FUNCTIONS):
            composed = composed or [value]
            composed.append(_stage(node.right, scope))
            continue
        if composed:
            value, composed = _composition(composed, node.left), []
        value = _step(node, value, scope)
    return _composition(composed, expr) if composed else value


def _stage(expr: tree.Expr, scope: Environment) -> Value:
    value = evaluate(expr, scope)
    if value is BROKEN or isinstance(value, FUNCTIONS):
        return value
    if isinstance(value, Symbol):
        return unknown_layer(value, expr, scope)
    return scope.context.refuse(rules.NOT_APPLICABLE, expr.span, actual=describe(value), remedy="")


def _composition(parts: list[Value], expr: tree.Expr) -> Value:
    """`f |> g |> h` of functions, waiting for a tensor."""
    return BROKEN if any(part is BROKEN for part in parts) else Composition(tuple(parts), expr.span)


def _step(node: tree.Binary, left: Value, scope: Environment) -> Value:
    context = scope.context
    if node.op == "|>":
        return _pipe(left, node, scope)
    if node.op in ("and", "or"):
        return _logical(node, left, scope)
    if node.op in ("==", "!="):
        return _equality(node, left, scope)
    right = evaluate(node.right, scope)
    if left is BROKEN or right is BROKEN:
        return BROKEN
    if node.op == "*" and isinstance(left, FUNCTIONS):
        return _repeat(left, right, node, context)
    a, b = as_tensor(left), as_tensor(right)
    if node.op in OPERATOR_OPS and a is not None and b is not None:
        return apply(named_op(OPS[OPERATOR_OPS[node.op]], scope, node.span), [a, b], node.span, scope)
    if a is not None or b is not None:
        known = f"tensors join by {' and '.join(f'`{op}`' for op in OPERATOR_OPS)}, and with tensors only"
        return wrong_operands(node.op, left, right, node.span, context, known)
    return combine(node.op, left, right, node.span, context)


def _pipe(left: Value, node: tree.Binary, scope: Environment) -> Value:
    """`x |> f` and `x |> f(args)`: x becomes the first argument."""
    right = node.right
    if isinstance(right, tree.Call):
        return call(right, scope, NO_WORDS, piped=[(left, node.left.span)])
    function = evaluate(right, scope)
    if function is BROKEN or is_broken(left):
        return BROKEN
    context = scope.context
    if isinstance(function, Symbol):
        return unknown_layer(function, right, scope)
    if not isinstance(function, FUNCTIONS):
        hint = "join two tensors by `a + b` or `concat(a, b)`" if is_tensor_like(function) else ""
        return context.refuse(rules.NOT_APPLICABLE, right.span, actual=describe(function), remedy=hint)
    if not is_tensor_like(left):
        return not_a_tensor(left, node.left, function.name, context)
    return apply(function, [left], right.span, scope)


def unknown_layer(word: Symbol, use: tree.Expr, scope: Environment) -> Value:
    """A parameter was given a word that names no op: `--set act=silo`."""
    return unknown_name(word.name, word.span or use.span, scope)


def not_a_tensor(value: Value, node: tree.Expr, function: str, context: Context) -> Value:
    return context.refuse(
        rules.NOT_A_TENSOR, node.span, function=function, allowed="a tensor", actual=describe(value), remedy=""
    )


def _repeat(function: Value, times: Value, node: tree.Binary, context: Context) -> Value:
    """`f * n`: new weights each time, also where a let holds f."""
    whole = int(times) if isinstance(times, float) and times == int(times) else times
    if not isinstance(whole, int) or isinstance(whole, bool) or whole < 0:
        help = "a layer is repeated a whole number of times"
        return wrong_operands("*", function, times, node.right.span, context, help)
    if whole > limits.NODES:
        return context.refuse(rules.TOO_LARGE, node.right.span, what="the repetition", allowed=f"{limits.NODES:,}")
    function = function.function if isinstance(function, Shared) else function
    if whole == 0:
        return Composition((), node.span, "identity")
    return function if whole == 1 else Repeat(function, whole, node.span)


def _logical(node: tree.Binary, left: Value, scope: Environment) -> Value:
    """`and`, `or`: the right side is evaluated only where it decides."""
    if left is BROKEN:
        return BROKEN
    what = f"each side of `{node.op}`"
    if not isinstance(left, bool):
        return scope.context.refuse(rules.NOT_BOOLEAN, node.left.span, what=what, actual=describe(left))
    return left if left == (node.op == "or") else condition(node.right, scope, what)


def _equality(node: tree.Binary, left: Value, scope: Environment) -> Value:
    """`==` and `!=`. A bare word is fine where the other side can be a word; otherwise it is an unknown name."""
    right = evaluate(node.right, scope, ANY_WORD if isinstance(node.right, tree.Name) else NO_WORDS)
    if left is BROKEN or right is BROKEN:
        return BROKEN
    wordy = (Symbol, str, *FUNCTIONS)
    for mine, expr, other, opposite in ((left, node.left, right, node.right), (right, node.right, left, node.left)):
        if _bare(mine, expr) and (_bare(other, opposite) or not isinstance(other, wordy)):
            return unknown_name(mine.name, mine.span, scope)
    if left is not None and right is not None and isinstance(left, Quantity) != isinstance(right, Quantity):
        return combine(node.op, left, right, node.span, scope.context)
    if isinstance(left, Quantity) and isinstance(right, Quantity) and left.dimension != right.dimension:
        return combine(node.op, left, right, node.span, scope.context)
    return equal(left, right) == (node.op == "==")


def _bare(value: Value, expr: tree.Expr) -> bool:
    """Whether a value is just the name that stands there, which nothing binds."""
    return isinstance(value, Symbol) and isinstance(expr, tree.Name) and value.span == expr.span

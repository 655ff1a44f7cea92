"""Atoms, members and indices, and the table that says which function evaluates which node of the tree."""

from __future__ import annotations

from collections.abc import Sequence

from detc.diagnostics import Finding, Related
from detc.semantics import rules
from detc.semantics.arithmetic import entries, group, items, number, sized, text
from detc.semantics.build import Place
from detc.semantics.calls import bare, call
from detc.semantics.environment import Environment, remedy, unknown_name
from detc.semantics.evaluate import NO_WORDS, Evaluators, Words, evaluate
from detc.semantics.layers import BlockFunction, OpFunction
from detc.semantics.loops import choice, comprehension
from detc.semantics.operators import binary, unary
from detc.semantics.program import Data, Model
from detc.semantics.values import (
    BROKEN,
    TENSOR_ATTRIBUTES,
    BlockInstance,
    Dims,
    Namespace,
    Quantity,
    Range,
    Symbol,
    TensorRef,
    Value,
    as_tensor,
    describe,
    is_number,
)
from detc.syntax import tree
from detc.syntax.units import UNITS

# ---- atoms ----------------------------------------------------------------------------------------------------------


def _name(expr: tree.Name, scope: Environment, words: Words) -> Value:
    binding = scope.find(expr.id)
    if binding is not None:
        value = binding.value
        if isinstance(value, (OpFunction, BlockFunction)) and value.span is None:
            return bare(value, scope, expr.span)
        return value
    if expr.id in words:
        return Symbol(expr.id, expr.span)
    later = scope.defined_later(expr.id)
    if later is not None:
        related = (Related(later, "defined here"),)
        return scope.context.refuse(rules.USED_BEFORE, expr.span, name=expr.id, related=related)
    return unknown_name(expr.id, expr.span, scope, words)


def _number(expr: tree.Number, scope: Environment, words: Words) -> Value:
    return sized(expr.value, expr.span, scope.context)


def _quantity(expr: tree.Quantity, scope: Environment, words: Words) -> Value:
    unit = UNITS[expr.unit]
    value = number("*", expr.value, unit.factor, expr.span, scope.context)
    if isinstance(value, float):
        # 7 % is 0.07, not 0.07000000000000001.
        value = float(f"{value:.15g}")
    return value if value is BROKEN else Quantity(value, unit.dimension)


def _string(expr: tree.String, scope: Environment, words: Words) -> Value:
    return text(expr.value, expr.span, scope.context)


def _dims(expr: tree.Dims, scope: Environment, words: Words) -> Value:
    for value in expr.values:
        if sized(value, expr.span, scope.context) is BROKEN:
            return BROKEN
    return Dims(expr.values)


def _constant(expr: tree.Constant, scope: Environment, words: Words) -> Value:
    return expr.value


def _values(parts: Sequence[tree.Expr], scope: Environment, words: Words) -> list[Value] | None:
    """The values of all parts, None if any is broken; every part is evaluated, so that all mistakes show."""
    values = [evaluate(part, scope, words) for part in parts]
    return None if any(value is BROKEN for value in values) else values


def _list(expr: tree.List, scope: Environment, words: Words) -> Value:
    builder = scope.context.builder
    if builder is None or id(expr) not in builder.lists:
        plain = _values(expr.items, scope, words)
        return BROKEN if plain is None else items(plain, expr.span, scope.context)
    values: list[Value] = []
    with builder.inside(Place("list", "list", span=expr.span)) as place:
        for part in expr.items:
            with builder.inside(Place("item", span=part.span)) as item:
                item.value = evaluate(part, scope, words)
            values.append(item.value)
        place.value = values
    return BROKEN if any(v is BROKEN for v in values) else items(values, expr.span, scope.context)


def _tuple(expr: tree.Tuple, scope: Environment, words: Words) -> Value:
    values = _values(expr.items, scope, words)
    return BROKEN if values is None else group(values, expr.span, scope.context)


def _map(expr: tree.Map, scope: Environment, words: Words) -> Value:
    seen: dict[str, tree.Entry] = {}
    for entry in expr.entries:
        if entry.key in seen:
            related = (Related(seen[entry.key].span, "first given here"),)
            return scope.context.refuse(rules.REDEFINED, entry.span, name=entry.key, related=related)
        seen[entry.key] = entry
    values = _values([entry.value for entry in expr.entries], scope, words)
    return BROKEN if values is None else entries(dict(zip(seen, values, strict=True)), expr.span, scope.context)


# ---- members --------------------------------------------------------------------------------------------------------


def _member(expr: tree.Member, scope: Environment, words: Words) -> Value:
    """`a.b`; where `a` is a word, the whole is one dotted word."""
    value = evaluate(expr.object, scope, words)
    if value is BROKEN:
        return BROKEN
    if isinstance(value, Symbol):
        return Symbol(f"{value.name}.{expr.name.id}", expr.span)
    found = _of(value, expr.name, scope)
    if isinstance(found, (OpFunction, BlockFunction)) and found.span is None:
        return bare(found, scope, expr.span)
    return found


def _of(value: Value, name: tree.Name, scope: Environment) -> Value:
    """The member `name` of a value; a tensor's attributes come before the names inside an instance."""
    word = name.id
    if isinstance(value, (TensorRef, BlockInstance)) and word in TENSOR_ATTRIBUTES:
        tensor = as_tensor(value)
        return BROKEN if tensor is None else _attribute(tensor, name, scope)
    if isinstance(value, TensorRef):
        return _unknown(f"a tensor {value.type}", name, TENSOR_ATTRIBUTES, scope)
    if isinstance(value, BlockInstance):
        if word in value.members:
            return value.members[word]
        return _unknown(f"this instance of `{value.block}`", name, (*value.members, *TENSOR_ATTRIBUTES), scope)
    if isinstance(value, Namespace):
        if word in value.members:
            return value.members[word]
        if value.open:
            return Symbol(word, name.span)
        return _unknown(f"`{value.name}`", name, value.members, scope)
    if isinstance(value, dict):
        return value[word] if word in value else _unknown("this map", name, value, scope)
    if isinstance(value, Data):
        from detc.semantics.data import member

        found = member(value, word, name.span)
        return scope.context.report(found) if isinstance(found, Finding) else found
    if isinstance(value, Model):
        counts = {"params": value.graph.params, "macs": value.graph.macs}
        return counts[word]() if word in counts else _unknown(f"model `{value.name}`", name, counts, scope)
    return _unknown(describe(value), name, (), scope)


def _attribute(tensor: TensorRef, name: tree.Name, scope: Environment) -> Value:
    type = tensor.type
    if name.id == "dtype":
        return Symbol(type.dtype)
    if name.id == "shape":
        return items(list(type.shape), name.span, scope.context)
    if name.id == "channels":
        return type.channels
    if not type.is_map:
        return _unknown(f"a vector {type}", name, ("channels", "shape", "dtype"), scope)
    return type.height if name.id == "height" else type.width


def _unknown(owner: str, name: tree.Name, known: object, scope: Environment) -> Value:
    hint = remedy(name.id, [str(k) for k in known])  # type: ignore[attr-defined]
    return scope.context.refuse(
        rules.UNKNOWN_MEMBER, name.span, owner=owner, name=name.id, remedy=hint, label="not found here"
    )


# ---- indices --------------------------------------------------------------------------------------------------------


def _index(expr: tree.Index, scope: Environment, words: Words) -> Value:
    """`list[2]`, `list[0 .. 4]` (both ends), `map["key"]`."""
    context = scope.context
    value = evaluate(expr.object, scope)
    keys = _values(expr.args, scope, NO_WORDS)
    if value is BROKEN or keys is None:
        return BROKEN

    def bad(reason: str) -> Value:
        return context.refuse(rules.BAD_INDEX, expr.span, reason=reason)

    if len(keys) != 1:
        return bad(f"an index is one number or one range, not {len(keys)} values")
    key = keys[0]
    if isinstance(value, dict) and isinstance(key, str):
        return value[key] if key in value else bad(f'the map has no "{key[:40]}"')
    if isinstance(value, (list, tuple)):
        size = len(value)
        if isinstance(key, Range) and isinstance(key.low, int) and isinstance(key.high, int) and not key.dimension:
            if 0 <= key.low <= key.high + 1 and key.high < size:
                return items(list(value[key.low : key.high + 1]), expr.span, context)
            return bad(f"{key.low} .. {key.high} reaches beyond the list, which has 0 .. {size - 1}")
        if is_number(key) and isinstance(key, int):
            if 0 <= key < size:
                return value[key]
            return bad(f"there is no element {key}: the list has {size}, counted from 0")
        return bad(f"an index is a whole number or a range of such, not {describe(key)}")
    return bad(f"{describe(value)} has no elements")


EVALUATORS: Evaluators = {
    tree.Name: _name,
    tree.Number: _number,
    tree.Quantity: _quantity,
    tree.Dims: _dims,
    tree.String: _string,
    tree.Constant: _constant,
    tree.List: _list,
    tree.Tuple: _tuple,
    tree.Map: _map,
    tree.Comprehension: comprehension,
    tree.Member: _member,
    tree.Call: call,
    tree.Index: _index,
    tree.Unary: unary,
    tree.Binary: binary,
    tree.Choice: choice,
}

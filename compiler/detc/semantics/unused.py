"""Blocks that nothing applies are never expanded; this looks at least at the names in them, so that a misspelt one shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from detc.semantics.environment import Environment, unknown_name
from detc.semantics.functions import BUILT_IN
from detc.semantics.words import ARGUMENT_WORDS
from detc.syntax import tree


def check_block(block: tree.Block, home: Environment) -> None:
    """Reports the names in `block` that neither it nor its surroundings define."""
    known = {param.name.id for param in block.params or ()}
    known.update(ARGUMENT_WORDS, *(native.words for native in BUILT_IN))
    known.update(_defined(block.items))
    for expr in _expressions(block):
        for name in _names(expr, home):
            if name.id not in known and home.defined_later(name.id) is None and not home.bound(name.id):
                unknown_name(name.id, name.span, home, known)


def _defined(items: Iterable[tree.AnyItem]) -> Iterator[str]:
    """All names that items bind, wherever inside: enough to tell a misspelt name."""
    waiting = list(items)
    while waiting:
        item = waiting.pop()
        if isinstance(item, (tree.Named, tree.Typed)):
            yield item.name.id
        elif isinstance(item, tree.Block):
            if isinstance(item.label, tree.Name):
                yield item.label.id
            yield from (param.name.id for param in item.params or ())
            waiting += item.items
        elif isinstance(item, tree.For):
            yield from (name.id for name in item.names)
            waiting += item.items
        elif isinstance(item, tree.If):
            waiting += (*item.items, *item.otherwise)


def _expressions(block: tree.Block) -> Iterator[tree.Expr]:
    waiting: list[tree.AnyItem] = [block]
    while waiting:
        item = waiting.pop()
        if isinstance(item, tree.Block):
            yield from (param.default for param in item.params or () if param.default is not None)
            if item.result is not None:
                yield item.result
            # `default bn { .. }` and blocks of other kinds hold words of their own.
            waiting += item.items if item.kind.id == "block" else ()
        elif isinstance(item, tree.Named):
            yield item.value
        elif isinstance(item, tree.Require):
            yield item.condition
        elif isinstance(item, tree.For):
            yield item.source
            waiting += item.items
        elif isinstance(item, tree.If):
            yield item.condition
            waiting += (*item.items, *item.otherwise)


def _names(expr: tree.Expr, home: Environment) -> Iterator[tree.Name]:
    """The names that an expression reads, less those that its own loops bind."""
    waiting: list[tuple[tree.Expr, frozenset[str]]] = [(expr, frozenset())]
    while waiting:
        home.context.tick(expr.span)
        node, bound = waiting.pop()
        if isinstance(node, tree.Name):
            if node.id not in bound:
                yield node
            continue
        if isinstance(node, tree.Comprehension):
            inner = bound | {name.id for name in node.names}
            waiting += ((part, inner) for part in (node.element, node.condition) if part is not None)
            waiting.append((node.source, bound))
            continue
        waiting += ((part, bound) for part in _parts(node))


def _parts(node: tree.Expr) -> tuple[tree.Expr, ...]:
    if isinstance(node, (tree.List, tree.Tuple)):
        return node.items
    if isinstance(node, tree.Map):
        return tuple(entry.value for entry in node.entries)
    if isinstance(node, tree.Member):
        return (node.object,)
    if isinstance(node, tree.Call):
        return (node.function, *node.args, *(kwarg.value for kwarg in node.kwargs))
    if isinstance(node, tree.Index):
        return (node.object, *node.args)
    if isinstance(node, tree.Unary):
        return (node.operand,)
    if isinstance(node, tree.Binary):
        if node.op in ("==", "!="):
            # A bare word is fine on one side of a comparison.
            return tuple(side for side in (node.left, node.right) if not isinstance(side, tree.Name))
        return (node.left, node.right)
    if isinstance(node, tree.Choice):
        return (node.condition, node.yes, node.no)
    return ()

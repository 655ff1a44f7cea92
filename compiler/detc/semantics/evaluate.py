"""Evaluates expressions. A mistake is reported where it stands and gives BROKEN, which whatever uses it passes on in silence."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from typing import Any

from detc.semantics.environment import Environment
from detc.semantics.values import Value
from detc.syntax import tree

Words = Collection[str]
"""Names that stand for themselves where nothing binds them."""
Evaluators = dict[type, Callable[[Any, Environment, Words], Value]]


class AnyWord(tuple[str, ...]):
    """Every name is a word here."""

    def __contains__(self, name: object) -> bool:
        return True


NO_WORDS: Words = ()
ANY_WORD: Words = AnyWord()


def evaluate(expr: tree.Expr, scope: Environment, words: Words = NO_WORDS) -> Value:
    """The value of `expr` in `scope`; BROKEN with its finding reported where there is none. `words` may stand unbound."""
    context = scope.context
    context.tick(expr.span)
    context.enter(expr.span)
    try:
        return _evaluators()[type(expr)](expr, scope, words)
    finally:
        context.depth -= 1


@cache
def _evaluators() -> Evaluators:
    """Loaded late, since every kind of expression evaluates others."""
    from detc.semantics.expressions import EVALUATORS

    return EVALUATORS

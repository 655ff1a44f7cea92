"""The LALR(1) tables of det.lark: made by lark when the package is built, read without lark when it runs.

`_tables.py` is written by the build hook. Where it is missing or older than det.lark (a checkout at work), the tables are
compiled in memory. Nothing is ever cached in a temporary or home folder.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GRAMMAR = Path(__file__).with_name("det.lark")


@dataclass(frozen=True, slots=True)
class Rule:
    """One production. `plan` says what becomes a child of its node: the value of symbol k (k), the items of the list that
    symbol k made (~k), or None (an option left out). `action` names the builder's method; "" passes the only child
    through, "_" makes a list."""

    symbol: str
    size: int
    action: str
    plan: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """`actions[state][terminal]` is the next state after a shift (>= 0) or ~rule for a reduction."""

    patterns: tuple[tuple[str, str], ...]
    literals: dict[str, str]
    actions: tuple[dict[str, int], ...]
    gotos: tuple[dict[str, int], ...]
    rules: tuple[Rule, ...]
    start: int
    end: int


def load() -> Tables:
    """The tables shipped with the package if they were made from the det.lark beside them, else freshly compiled ones."""
    grammar = GRAMMAR.read_text(encoding="utf-8")
    try:
        shipped = importlib.import_module("detc.syntax._tables")
    except ModuleNotFoundError:
        return compile_tables(grammar)
    if grammar != shipped.GRAMMAR:
        return compile_tables(grammar)
    rules = tuple(Rule(*rule) for rule in shipped.RULES)
    return Tables(shipped.PATTERNS, shipped.LITERALS, shipped.ACTIONS, shipped.GOTOS, rules, shipped.START, shipped.END)


def compile_tables(grammar: str) -> Tables:
    """Run lark on the text of det.lark. Raises lark's GrammarError on a reduce/reduce conflict."""
    from lark import Lark
    from lark.lexer import PatternStr
    from lark.parsers.lalr_analysis import Shift

    lark = Lark(grammar, parser="lalr", lexer="basic", maybe_placeholders=True)
    parser: Any = lark.parser
    table = parser.parser._parse_table
    rules = sorted(set(lark.rules), key=_rule_key)
    numbers = {rule: number for number, rule in enumerate(rules)}
    order = _reachable(table.states, table.start_states["start"], Shift)
    renumbered = {state: number for number, state in enumerate(order)}
    actions: list[dict[str, int]] = []
    gotos: list[dict[str, int]] = []
    terminals = {terminal.name for terminal in lark.terminals} | {"$END"}
    for state in order:
        row = {
            symbol: renumbered[target] if act is Shift else ~numbers[target]
            for symbol, (act, target) in sorted(table.states[state].items())
        }
        actions.append({symbol: target for symbol, target in row.items() if symbol in terminals})
        gotos.append({symbol: target for symbol, target in row.items() if symbol not in terminals})
    by_rank = sorted(lark.terminals, key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name))
    return Tables(
        patterns=tuple(
            (t.name, t.pattern.value)
            for t in by_rank
            if not isinstance(t.pattern, PatternStr) and t.name != "__IGNORE_0"
        ),
        literals={t.pattern.value: t.name for t in by_rank if isinstance(t.pattern, PatternStr)},
        actions=tuple(actions),
        gotos=tuple(gotos),
        rules=tuple(_compile_rule(rule) for rule in rules),
        start=renumbered[table.start_states["start"]],
        end=renumbered[table.end_states["start"]],
    )


def _rule_key(rule: Any) -> tuple[Any, ...]:
    return rule.origin.name, rule.alias or "", [part.name for part in rule.expansion], rule.options.empty_indices


def _reachable(states: dict[int, Any], start: int, shift: Any) -> list[int]:
    """All states by the way they are first met from `start`: lark numbers them differently each time."""
    order = {start: None}
    pending = [start]
    while pending:
        for _, (act, target) in sorted(states[pending.pop(0)].items(), key=lambda entry: entry[0]):
            if act is shift and target not in order:
                order[target] = None
                pending.append(target)
    return list(order)


def _compile_rule(rule: Any) -> Rule:
    """What lark's tree builder would do with this production, as data."""
    symbol, options = rule.origin.name, rule.options
    plan: list[int | None] = []
    symbols = iter(enumerate(rule.expansion))
    for empty in options.empty_indices or [False] * len(rule.expansion):
        if empty:
            plan.append(None)
            continue
        k, part = next(symbols)
        if part.is_term:
            if not part.filter_out:
                plan.append(k)
        else:
            plan.append(~k if part.name.startswith("_") else k)
    if symbol.startswith("_"):
        action = "_"
    elif options.expand1 and not rule.alias and len(plan) == 1:
        action = ""
    else:
        action = rule.alias or symbol
    return Rule(str(symbol), len(rule.expansion), str(action), tuple(plan))


def module_source(grammar: str) -> str:
    """The text of `_tables.py`."""
    tables = compile_tables(grammar)
    rules = [(rule.symbol, rule.size, rule.action, rule.plan) for rule in tables.rules]
    return "\n".join(
        [
            '"""LALR(1) tables of det.lark, written by hatch_build.py. Do not edit."""',
            f"GRAMMAR = {grammar!r}",
            f"PATTERNS = {tables.patterns!r}",
            f"LITERALS = {tables.literals!r}",
            f"ACTIONS: tuple[dict[str, int], ...] = {tables.actions!r}",
            f"GOTOS: tuple[dict[str, int], ...] = {tables.gotos!r}",
            f"RULES = {tuple(rules)!r}",
            f"START = {tables.start}",
            f"END = {tables.end}",
            "",
        ]
    )

"""The LALR(1) automaton: tokens in, the builder's values out. A loop, so no nesting of the text can exhaust Python's stack."""

from __future__ import annotations

from typing import Any, Protocol

from detc.diagnostics import Finding
from detc.syntax import mistakes
from detc.syntax.build import Builder
from detc.syntax.lexer import Tokens
from detc.syntax.tables import Tables

MAX_DEPTH = 200
"""How deep trees may nest: what walks them recurses, and Python's stack holds about 1000 frames."""
_MAX_STATES = 20 * MAX_DEPTH
_ANY_ITEM = "AT"
"""A token that can only follow a complete item, or begin one."""


class Recovery(Protocol):
    """What to do about token `i` that the automaton cannot accept, or (`known` says why) must not."""

    def report(self, automaton: Automaton, i: int, known: Finding | None = None) -> int | None:
        """The token to go on with after a mend, -1 to stop, None if there is no mend."""

    def resume(self, automaton: Automaton, i: int) -> int:
        """Drop what is unfinished; the token to go on with, -1 to stop."""


class Automaton:
    """The stacks run in parallel: `values[k]`, read from token `starts[k]` on and `depths[k]` nodes deep, led to
    `states[k + 1]`. `last` is the last token that was shifted."""

    def __init__(self, tables: Tables, tokens: Tokens, findings: list[Finding], recovery: Recovery) -> None:
        self.tables = tables
        self.tokens = tokens
        self.findings = findings
        self.recovery = recovery
        self.builder = Builder(tokens, findings)
        self.states = [tables.start]
        self.values: list[Any] = []
        self.starts: list[int] = []
        self.depths: list[int] = []
        self.last = 0

    def run(self) -> list[Any]:
        """What `Builder.start` was given, or the entries read so far if recovery gave up."""
        builder, tokens = self.builder, self.tokens
        states, values, starts, depths = self.states, self.values, self.starts, self.depths
        actions, gotos, end = self.tables.actions, self.tables.gotos, self.tables.end
        kinds, texts, leaves = tokens.kinds, tokens.texts, builder.leaves
        rules: list[tuple[str, int, str, Any, Any]] = [
            (r.symbol, r.size, r.action, r.plan, getattr(builder, r.action, None)) for r in self.tables.rules
        ]
        i = 0
        settling = False  # finish what is complete as if an item followed, before an unmended mistake is left behind
        while i >= 0:
            kind = kinds[i] if not settling else _ANY_ITEM
            action = actions[states[-1]].get(kind)
            if settling and (action is None or action >= 0):
                settling = False
                i = self.recovery.resume(self, i)
                continue
            if action is None:
                if kind == "DOC":  # in the middle of an item a `##` is only a comment
                    i += 1
                    continue
                mended = self.recovery.report(self, i)
                settling = mended is None and self.accepts(_ANY_ITEM)
                if mended is None and not settling:
                    mended = self.recovery.resume(self, i)
                i = i if mended is None else mended
                continue
            if action >= 0:
                leaf = leaves.get(kind)
                values.append(leaf(i) if leaf else texts[i])
                states.append(action)
                starts.append(i)
                depths.append(1)
                self.last = i
                i += 1
                if len(states) > _MAX_STATES:
                    i = self._too_deep(i)
                continue
            symbol, size, name, plan, make = rules[~action]
            if size == 1 and not name:  # the value stays where it is
                states[-1] = gotos[states[-2]][symbol]
                continue
            if not name:  # one value of several symbols, passed through
                keep = plan[0]
                value, start, depth = values[keep - size], starts[-size], depths[keep - size]
            elif not size:
                start, depth = i, 1
                value = make(tokens.span(i, i - 1 if i else 0), *plan) if make else []
            else:
                start, depth = starts[-size], max(depths[-size:])
                value = _children(values[-size:], plan)
                if make:
                    value = make(tokens.span(start, self.last), *value)
                    depth += 1
            if size:
                del states[-size:], values[-size:], starts[-size:], depths[-size:]
            if depth > MAX_DEPTH:
                states.append(states[-1])  # stands for the node that is left out
                values.append(None)
                starts.append(start)
                depths.append(0)
                i = self._too_deep(i)
                continue
            state = gotos[states[-1]][symbol]
            if state == end:
                return value  # type: ignore[no-any-return]
            states.append(state)
            values.append(value)
            starts.append(start)
            depths.append(depth)
        return values[0] if values and isinstance(values[0], list) else []

    def accepts(self, kind: str) -> bool:
        """True if a token of this kind could come next."""
        actions, gotos, rules = self.tables.actions, self.tables.gotos, self.tables.rules
        kept = len(self.states)
        above: list[int] = []  # states pushed in this trial, over self.states[:kept]
        while True:
            state = above[-1] if above else self.states[kept - 1]
            action = actions[state].get(kind)
            if action is None or action >= 0:
                return action is not None
            rule = rules[~action]
            from_above = min(rule.size, len(above))
            if from_above:
                del above[-from_above:]
            kept -= rule.size - from_above
            state = gotos[above[-1] if above else self.states[kept - 1]][rule.symbol]
            if state == self.tables.end:
                return True
            above.append(state)

    def _too_deep(self, i: int) -> int:
        finding = mistakes.TOO_DEEP(self.tokens.span(self.last), allowed=MAX_DEPTH)
        self.recovery.report(self, i, finding)
        return -1  # the items around are as deep: there is no safe place to go on


def _children(parts: list[Any], plan: tuple[int | None, ...]) -> list[Any]:
    """The children that `plan` (see tables.Rule) picks from the values of a production's symbols."""
    first = plan[0] if plan else None
    if first is not None and first < 0:  # go on with the list that is there, it may be long
        children: list[Any] = parts[~first]
        plan = plan[1:]
    else:
        children = []
    for k in plan:
        if k is None:
            children.append(None)
        elif k < 0:
            children.extend(parts[~k])
        else:
            children.append(parts[k])
    return children

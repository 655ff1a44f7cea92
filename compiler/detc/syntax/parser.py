"""Tokens to tree: an LALR(1) automaton over the tables of det.lark that keeps going after a mistake."""

from __future__ import annotations

from functools import cache
from typing import Any

from detc.diagnostics import Finding, Source, Span
from detc.syntax import mistakes, tree
from detc.syntax.build import Builder, attach, head_doc
from detc.syntax.lexer import Tokens, tokenize
from detc.syntax.tables import Tables, load

MAX_CHARACTERS = 1 << 20
MAX_DEPTH = 200


def parse(source: Source) -> tuple[tree.File, tuple[Finding, ...]]:
    """The tree of `source` and every mistake in its text. Never raises; what could not be understood is left out."""
    lines = source.text.split("\n")
    whole = Span(source.path, 1, 1, len(lines), len(lines[-1]) + 1)
    if len(source.text) > MAX_CHARACTERS:
        size = f"{len(source.text):,} characters"
        finding = mistakes.TOO_LONG(None, path=source.path, actual=size, allowed=f"{MAX_CHARACTERS:,}")
        return tree.File(whole, "", ()), (finding,)
    tables = _tables()
    tokens, findings = tokenize(source, tables)
    entries = _Automaton(tables, tokens, findings).run()
    doc, rest = head_doc(entries)
    items = attach(rest, findings)
    findings.sort(key=lambda finding: (finding.span.line, finding.span.column) if finding.span else (0, 0))
    return tree.File(whole, doc, items), tuple(findings)


@cache
def _tables() -> Tables:
    return load()


class _Automaton:
    def __init__(self, tables: Tables, tokens: Tokens, findings: list[Finding]) -> None:
        self.tables = tables
        self.tokens = tokens
        self.findings = findings
        self.builder = Builder(tokens, findings)
        self.states = [tables.start]
        self.values: list[Any] = []
        self.starts: list[int] = []
        self.depths: list[int] = []

    def run(self) -> list[Any]:
        tables, tokens, builder = self.tables, self.tokens, self.builder
        states, values, starts, depths = self.states, self.values, self.starts, self.depths
        actions, gotos, end = tables.actions, tables.gotos, tables.end
        kinds, texts, leaves = tokens.kinds, tokens.texts, builder.leaves
        rules = [(r.symbol, r.size, r.action, r.plan, getattr(builder, r.action, None)) for r in tables.rules]
        last = i = 0
        while True:
            kind = kinds[i]
            action = actions[states[-1]].get(kind)
            if action is None:
                if kind == "DOC":  # in the middle of an item a `##` is only a comment
                    i += 1
                    continue
                self.findings.append(mistakes.MISPLACED(tokens.span(i), what=f"`{texts[i]}`", expected=""))
                return []
            if action >= 0:
                leaf = leaves.get(kind)
                values.append(leaf(i) if leaf else texts[i])
                states.append(action)
                starts.append(i)
                depths.append(1)
                last = i
                i += 1
                continue
            symbol, size, name, plan, make = rules[~action]
            if name == "":
                keep = plan[0]
                value, start, depth = values[keep - size], starts[-size], depths[keep - size]
            else:
                start = starts[-size] if size else i
                depth = max(depths[-size:]) if size else 0
                children: list[Any] = []
                if size:
                    parts = values[-size:]
                    if plan and plan[0] is not None and plan[0] < 0:
                        children = parts[~plan[0]]
                        plan = plan[1:]
                    for k in plan:
                        if k is None:
                            children.append(None)
                        elif k < 0:
                            children.extend(parts[~k])
                        else:
                            children.append(parts[k])
                else:
                    children = [None] * len(plan)
                if name == "_":
                    value = children
                else:
                    value = make(tokens.span(start, last if size else i), *children)
                    depth += 1
                    if depth > MAX_DEPTH:
                        self.findings.append(mistakes.TOO_DEEP(tokens.span(start, last), allowed=MAX_DEPTH))
                        return []
            if size:
                del states[-size:], values[-size:], starts[-size:], depths[-size:]
            state = gotos[states[-1]][symbol]
            if state == end:
                return value
            states.append(state)
            values.append(value)
            starts.append(start)
            depths.append(depth)

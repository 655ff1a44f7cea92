"""The manual: all rules of detc by their code, each a page made of the texts that findings are made of."""

from __future__ import annotations

import textwrap

import detc
from detc.diagnostics import Rule
from detc.diagnostics.rules import collect, modules_of
from detc.report.ansi import Terminal


def rules() -> dict[str, Rule]:
    """Every Rule that some module of detc holds, sorted by code. Imports the whole compiler, but nothing that it loads lazily."""
    return collect(modules_of(detc))


def page(rule: Rule, terminal: Terminal) -> str:
    """The manual page: level and code, the message with its {facts}, the explanation, the remedy."""
    colour = {"error": "red", "warning": "yellow", "note": "cyan"}[rule.level]
    width = min(terminal.width, 100)
    lines = [f"{terminal.paint(f'{rule.level}[{rule.code}]', 'bold', colour)}: {_fill(rule.message, width)}", ""]
    for paragraph in filter(None, rule.explanation.split("\n\n")):
        lines += [_fill(paragraph, width), ""]
    if rule.help:
        lines += [f"{terminal.paint('help', 'bold')}: {_fill(rule.help, width)}", ""]
    return "\n".join(lines)


def _fill(text: str, width: int) -> str:
    return textwrap.fill(" ".join(text.split()), width)

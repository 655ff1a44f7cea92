"""All rules of detc by their code: the texts from which findings, `detc explain` and the manual are made."""

from __future__ import annotations

import pkgutil
import textwrap
from importlib import import_module

import detc
from detc.diagnostics import Rule
from detc.report.ansi import Terminal

_NO_RULES = ("detc.commands.", "detc.cli", "detc.specs", "detc.syntax._tables")
_PROGRAMS = "__main__"


def rules() -> dict[str, Rule]:
    """Every Rule that some module of detc holds, sorted by code. Imports the whole compiler, but nothing that it loads lazily."""
    found: dict[str, Rule] = {}
    for info in pkgutil.walk_packages(detc.__path__, "detc."):
        if info.name.startswith(_NO_RULES) and info.name != "detc.commands.loading" or info.name.endswith(_PROGRAMS):
            continue
        for value in vars(import_module(info.name)).values():
            for rule in value if isinstance(value, tuple) else (value,):
                if isinstance(rule, Rule):
                    found[rule.code] = rule
    return dict(sorted(found.items()))


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

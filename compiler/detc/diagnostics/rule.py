"""A rule: the one place where the text of a diagnostic is written.

The first paragraph of `text` is the message, with `{facts}` in braces; the rest explains it. Both together are the page that
`detc explain CODE` shows, so message and manual cannot drift apart.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass

from detc.diagnostics.finding import Finding, Level, Related
from detc.diagnostics.span import Span


@dataclass(frozen=True, slots=True)
class Rule:
    """`RULE(span, name=..., actual=..., allowed=...)` makes a Finding; the keyword facts fill the message and `help`."""

    code: str
    level: Level
    text: str
    help: str = ""

    @property
    def message(self) -> str:
        return " ".join(inspect.cleandoc(self.text).split("\n\n", 1)[0].split())

    @property
    def explanation(self) -> str:
        return inspect.cleandoc(self.text).partition("\n\n")[2]

    def __call__(
        self,
        span: Span | None,
        *,
        label: str = "",
        related: Iterable[Related] = (),
        help: str | None = None,
        level: Level | None = None,
        **facts: object,
    ) -> Finding:
        """A finding at `span`. `help` replaces the rule's own remedy where a better one with its number is known."""
        return Finding(
            code=self.code,
            level=level or self.level,
            message=self.message.format_map(facts),
            span=span,
            label=label.format_map(facts) if label else "",
            related=tuple(related),
            help=help if help is not None else self.help.format_map(facts),
            actual=str(facts.get("actual", "")),
            allowed=str(facts.get("allowed", "")),
        )

"""A finding: what is wrong, where, by which rule, and what to do about it. Findings are values; nothing raises them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from detc.diagnostics.span import Span

Level = Literal["error", "warning", "note"]


USED_HERE = "used here"
"""Label of a related place that is no limit but a call on the way to the finding's own place."""


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that a finding speaks of, usually the target's line that states the limit."""

    span: Span
    label: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One diagnostic. `label` stands under the carets at `span`; `actual` and `allowed` are plain text for machines."""

    code: str
    level: Level
    message: str
    span: Span | None = None
    label: str = ""
    related: tuple[Related, ...] = ()
    help: str = ""
    actual: str = ""
    allowed: str = ""


def has_errors(findings: Iterable[Finding], strict: bool = False) -> bool:
    """True if any finding is an error; under `strict` a warning counts as one."""
    return any(f.level == "error" or (strict and f.level == "warning") for f in findings)

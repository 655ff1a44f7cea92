"""Findings for programs: the `findings` of the JSON reports."""

from __future__ import annotations

from typing import Any

from detc.diagnostics.finding import Finding


def finding_json(finding: Finding) -> dict[str, Any]:
    """`code`, `level`, `message`, `span` (null if it has no place), `related`, `help`, and the two figures compared."""
    return {
        "code": finding.code,
        "level": finding.level,
        "message": finding.message,
        "span": finding.span.as_json() if finding.span else None,
        "label": finding.label,
        "related": [{"span": related.span.as_json(), "label": related.label} for related in finding.related],
        "help": finding.help,
        "actual": finding.actual,
        "allowed": finding.allowed,
    }

"""Findings that say the same thing, told once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from detc.diagnostics.finding import USED_HERE, Finding
from detc.diagnostics.span import Span


@dataclass(frozen=True, slots=True)
class Group:
    """The first of some equal findings, and where the others stand."""

    first: Finding
    others: tuple[Span | None, ...]


def group(findings: Iterable[Finding]) -> list[Group]:
    """Findings in order, equal ones collected under the first.

    Two are equal if the same rule speaks of the same place (a block that is used many times), or measures the same value
    against the same limit elsewhere; a finding without figures is equal to one with the same words.
    """
    groups: list[list[Finding]] = []
    known: dict[Hashable, list[Finding]] = {}
    for finding in findings:
        keys = _keys(finding)
        members = next((known[key] for key in keys if key in known), None)
        if members is None:
            members = []
            groups.append(members)
        members.append(finding)
        for key in keys:
            known.setdefault(key, members)
    return [Group(members[0], tuple(_place(member, members[0]) for member in members[1:])) for members in groups]


def _place(finding: Finding, first: Finding) -> Span | None:
    """Where another member stands: its own place, or where the block was used if that is the same."""
    uses = [related.span for related in finding.related if related.label == USED_HERE]
    return uses[-1] if uses and finding.span == first.span else finding.span


def _keys(finding: Finding) -> tuple[Hashable, ...]:
    rule = (finding.code, finding.level)
    limits = tuple(related for related in finding.related if related.label != USED_HERE)
    if finding.actual or finding.allowed:
        words: Hashable = (finding.actual, finding.allowed, finding.label, finding.help, limits)
    else:
        words = (finding.message, finding.label, finding.help)
    if finding.span is None:
        return ((rule, words),)
    # One rule may say several things of one place; what helps tells them apart where there are no figures.
    remedy = "" if finding.actual or finding.allowed else finding.help
    return (rule, words), (rule, finding.span, limits, remedy)

"""Findings as SARIF 2.1.0, the format code-scanning services read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from detc.diagnostics.finding import Finding
from detc.diagnostics.rule import Rule
from detc.diagnostics.span import Span

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render(findings: Iterable[Finding], rules: Mapping[str, Rule] | None = None, version: str = "") -> str:
    """One run of the tool `detc`. `rules` by code adds the manual's text to each rule that has a finding."""
    return json.dumps(sarif(findings, rules, version), indent=2, ensure_ascii=False) + "\n"


def sarif(findings: Iterable[Finding], rules: Mapping[str, Rule] | None = None, version: str = "") -> dict[str, Any]:
    """The log as plain JSON values. Columns are counted in Unicode code points."""
    found = list(findings)
    codes = list(dict.fromkeys(finding.code for finding in found))
    driver: dict[str, Any] = {"name": "detc", "rules": [_rule(code, (rules or {}).get(code)) for code in codes]}
    if version:
        driver["version"] = version
    results = [_result(finding, codes.index(finding.code)) for finding in found]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str, rule: Rule | None) -> dict[str, Any]:
    if rule is None:
        return {"id": code}
    text = {"shortDescription": {"text": rule.message}, "defaultConfiguration": {"level": rule.level}}
    return {"id": code} | text | ({"fullDescription": {"text": rule.explanation}} if rule.explanation else {})


def _result(finding: Finding, rule_index: int) -> dict[str, Any]:
    message = f"{finding.message}\nhelp: {finding.help}" if finding.help else finding.message
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": finding.level,
        "message": {"text": message},
        "locations": [_location(finding.span)] if finding.span else [],
    }
    if finding.related:
        result["relatedLocations"] = [
            {"id": number} | _location(related.span) | {"message": {"text": related.label}}
            for number, related in enumerate(finding.related)
        ]
    return result


def _location(span: Span) -> dict[str, Any]:
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    return {"physicalLocation": {"artifactLocation": {"uri": quote(span.file)}, "region": region}}

"""Findings as GitHub workflow commands, which show up at the line in a pull request."""

from __future__ import annotations

from collections.abc import Iterable

from detc.diagnostics.finding import Finding

_COMMAND = {"error": "error", "warning": "warning", "note": "notice"}


def render(findings: Iterable[Finding]) -> str:
    """One `::error file=..,line=..::message` a finding and line; the second places and the remedy are part of the message."""
    return "".join(f"{_command(finding)}\n" for finding in findings)


def _command(finding: Finding) -> str:
    properties = {"title": finding.code}
    if (span := finding.span) is not None:
        properties = {"file": span.file, "line": str(span.line), "endLine": str(span.end_line)} | properties
        if span.line == span.end_line:  # columns are only read for one line
            properties |= {"col": str(span.column), "endColumn": str(span.end_column)}
    message = [finding.message]
    message += [f"{related.span}: {related.label}" for related in finding.related]
    message += [f"help: {finding.help}"] if finding.help else []
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{_COMMAND[finding.level]} {listed}::{_data(chr(10).join(message))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

"""Findings, the rules that word them, the spans they point at, and the renderers that show them."""

from detc.diagnostics.finding import Finding, Level, Related, has_errors
from detc.diagnostics.rule import Rule
from detc.diagnostics.span import Source, Span

__all__ = ["Finding", "Level", "Related", "Rule", "Source", "Span", "has_errors"]

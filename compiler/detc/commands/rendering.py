"""A compilation in the format that was asked for."""

from __future__ import annotations

import argparse

from detc.compilation import Compilation


def rendered(compilation: Compilation, args: argparse.Namespace, *, tables: bool) -> str:
    """Text, JSON, HTML, GitHub annotations or SARIF, by `args.format`; `tables` adds layers to text."""
    if args.format == "json":
        from detc.report.json_report import report_text as json_text

        return json_text(compilation)
    if args.format == "html":
        from detc.report.html import report_html

        return report_html(compilation)
    if args.format == "github":
        from detc.diagnostics.render_github import render as github

        return github(compilation.findings)
    if args.format == "sarif":
        from detc.diagnostics.render_sarif import render as sarif

        return sarif(compilation.findings)
    from detc.report.ansi import Terminal, standard_output
    from detc.report.text import report_text

    terminal = Terminal() if args.out else standard_output()
    return report_text(compilation, terminal, tables=tables, quiet=args.quiet, full=args.verbose, strict=args.strict)

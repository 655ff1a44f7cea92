"""What a build would write or change, file by file, with -v line by line, and the memory of the net step by step where the target
plans it. No file is touched."""

from __future__ import annotations

import argparse

from detc.commands.building import add_folder
from detc.commands.options import add_loudness, add_outputs, add_spec
from detc.commands.outcome import MISTAKE, OK


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_outputs(parser)
    add_folder(parser)
    add_loudness(parser)


def run(args: argparse.Namespace) -> int:
    from detc.commands.building import project_of
    from detc.commands.loading import load
    from detc.commands.writing import deliver
    from detc.diagnostics import has_errors
    from detc.report.ansi import standard_output
    from detc.report.text import report_text
    from detc.report.timeline import timeline_text

    compilation = load(args, networks=True)
    terminal = standard_output()
    if has_errors(compilation.findings, args.strict) or compilation.model is None:
        deliver(report_text(compilation, terminal, tables=False, quiet=args.quiet, strict=args.strict), None)
        return MISTAKE
    from detc.codegen.folder import plan_changes, summary
    from detc.diagnostics.visible import visible

    project = project_of(compilation, args.build)
    changes = plan_changes(project.folder, project.files, args.force)
    signs = {"create": "+", "update": "~", "delete": "-", "edited": "!", "kept": "!", "unchanged": " "}
    colours = {
        "create": "green",
        "update": "yellow",
        "delete": "red",
        "edited": "cyan",
        "kept": "cyan",
        "unchanged": "dim",
    }
    lines = [f"{visible(str(project.folder))}: {summary(changes)}"]
    for change in changes:
        if change.action == "unchanged" and not args.verbose:
            continue
        lines.append(terminal.paint(f"  {signs[change.action]} {change.path}", colours[change.action]))
        if change.diff and args.verbose:
            lines += [terminal.paint(f"      {line}", "dim") for line in change.diff.splitlines()]
    if compilation.timeline is not None and not args.quiet:
        lines += ["", timeline_text(compilation.timeline, terminal)]
    deliver("\n".join(lines) + "\n", None)
    return OK

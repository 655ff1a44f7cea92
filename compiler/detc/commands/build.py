"""Write the training project: plain torch code, the resolved spec, the report. Files that you edited are never overwritten.

detc build mine.det --target gti5801 --train --quantize --deploy --evaluate --benchmark"""

from __future__ import annotations

import argparse
from pathlib import Path

from detc.commands.building import add_folder
from detc.commands.options import add_loudness, add_spec
from detc.commands.outcome import MISTAKE, OK
from detc.commands.services import add_services, serve, wanted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_folder(parser)
    parser.add_argument("-o", "--out", dest="build", type=Path, metavar="DIR", help="the same as --build")
    add_loudness(parser)
    add_services(parser)


def run(args: argparse.Namespace) -> int:
    outcome, folder = build(args)
    if folder is not None and wanted(args):
        return serve(args, folder)
    if folder is not None and not args.quiet:
        print(f"next: detc train {args.spec}" + (f" --target {args.target}" if args.target else ""))
    return outcome


def build(args: argparse.Namespace) -> tuple[int, Path | None]:
    """Builds what `args` mean and says so; (exit code, folder or None where nothing was written)."""
    from detc.commands.building import project_of
    from detc.commands.loading import load
    from detc.commands.waiting import busy
    from detc.commands.writing import deliver
    from detc.diagnostics import has_errors
    from detc.diagnostics.render_text import render
    from detc.report.ansi import standard_output
    from detc.report.text import report_text

    terminal = standard_output()
    compilation = load(args)
    if has_errors(compilation.findings, args.strict) or compilation.model is None:
        deliver(report_text(compilation, terminal, tables=False, quiet=args.quiet, strict=args.strict), None)
        return MISTAKE, None
    with busy("building"):
        from detc.codegen.folder import summary, write

        project = project_of(compilation, args.build)
        outcome = write(project.folder, project.files, project.facts, args.force)
    if outcome.findings:
        deliver(render(outcome.findings, compilation.program.sources, terminal.color), None)
    if has_errors(outcome.findings, args.strict):
        return MISTAKE, None
    if not args.quiet:
        from detc.diagnostics.visible import visible

        deliver(report_text(compilation, terminal, tables=False, strict=args.strict), None)
        done = summary(outcome.changes).replace(" to create", " created").replace(" to update", " updated")
        print(f"\n{visible(str(project.folder))}: {done.replace(' to delete', ' deleted')}")
    return OK, project.folder

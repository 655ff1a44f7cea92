"""The whole report of a spec: verdict, budget bars, layers, findings; `--format html` writes one page to show around."""

from __future__ import annotations

import argparse

from detc.commands.options import add_loudness, add_output, add_outputs, add_spec
from detc.commands.outcome import MISTAKE, OK


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_outputs(parser)
    add_output(parser, ("text", "json", "html"))
    add_loudness(parser)


def run(args: argparse.Namespace) -> int:
    from detc.commands.loading import load
    from detc.commands.rendering import rendered
    from detc.commands.writing import deliver
    from detc.diagnostics import has_errors

    compilation = load(args, networks=True)
    deliver(rendered(compilation, args, tables=True), args.out)
    return MISTAKE if has_errors(compilation.findings, args.strict) else OK

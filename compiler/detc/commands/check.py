"""Judge a spec before anyone trains: does it hold together, and does it fit the target?

Prints the verdict, a bar for each limit of the target, and everything that was found. Exit 0: no error."""

from __future__ import annotations

import argparse

from detc.commands.options import add_loudness, add_output, add_outputs, add_spec
from detc.commands.outcome import MISTAKE, OK


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_outputs(parser)
    add_output(parser)
    add_loudness(parser)


def run(args: argparse.Namespace) -> int:
    from detc.commands.loading import load
    from detc.commands.rendering import rendered
    from detc.commands.writing import deliver
    from detc.diagnostics import has_errors

    compilation = load(args, networks=True)
    deliver(rendered(compilation, args, tables=False), args.out)
    return MISTAKE if has_errors(compilation.findings, args.strict) else OK

"""The resolved spec: every value, every default and every override, and where each comes from.

`--layers` adds the layer table, `--graph` prints the graph as text."""

from __future__ import annotations

import argparse

from detc.commands.options import add_outputs, add_spec
from detc.commands.outcome import MISTAKE, OK


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_outputs(parser)
    parser.add_argument("--layers", action="store_true", help="every layer with its shapes and costs")
    parser.add_argument("--graph", action="store_true", help="the graph in its text form, and nothing else")


def run(args: argparse.Namespace) -> int:
    from detc.commands.loading import load
    from detc.commands.writing import deliver
    from detc.report.ansi import standard_output
    from detc.report.resolved import resolved_text
    from detc.report.text import layers

    compilation = load(args, networks=True)
    terminal = standard_output()
    if args.graph and compilation.graph is not None:
        from detc.ir.text import print_graph

        deliver(print_graph(compilation.graph), None)
    else:
        text = resolved_text(compilation, terminal)
        if args.layers:
            text += "\n" + layers(compilation, terminal) + "\n"
        deliver(text, None)
    errors = [finding for finding in compilation.findings if finding.level == "error"]
    if errors:
        from detc.diagnostics.render_text import render

        deliver("\n" + render(errors, compilation.program.sources, terminal.color), None)
    return OK if compilation.fits else MISTAKE

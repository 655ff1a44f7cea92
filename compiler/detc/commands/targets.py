"""The hardware that detc knows; with a name, the facts of that target and where each comes from."""

from __future__ import annotations

import argparse

from detc.commands.outcome import MISTAKE, OK, refuse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="TARGET", nargs="?", help="show the facts of this one")


def run(args: argparse.Namespace) -> int:
    from detc.targets import builtin_names, det_file

    known = builtin_names()
    if args.name is None:
        width = max(map(len, known))
        for name in known:
            print(f"{name:<{width}} {_headline(det_file(name).read_text(encoding='utf-8'))}".rstrip())
        return OK
    if args.name not in known:
        from detc.diagnostics.did_you_mean import closest

        near = closest(args.name, known)
        return refuse(
            f"there is no target `{args.name}`", f"did you mean `{near}`?" if near else "`detc targets` lists all"
        )
    return _facts(args.name)


def _headline(text: str) -> str:
    first = next((line for line in text.splitlines() if line.startswith("##")), "")
    return first.removeprefix("##").strip()


def _facts(name: str) -> int:
    from pathlib import Path

    from detc.report.ansi import standard_output
    from detc.report.facts import fact_lines
    from detc.semantics.environment import Context
    from detc.semantics.overrides import Overrides
    from detc.semantics.program import Program
    from detc.semantics.targets import resolve

    context = Context(Program(name, name), Path(), Overrides())
    target = resolve(name, context, None, chosen=True)
    if target is None:
        from detc.diagnostics.render_text import render

        print(render(context.findings, context.sources, False), end="")
        return MISTAKE
    print("\n".join(fact_lines(target, standard_output())))
    return OK

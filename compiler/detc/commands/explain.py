"""The manual page of a code: what the rule says, why, and what helps. Without a code: all codes."""

from __future__ import annotations

import argparse

from detc.commands.outcome import OK, refuse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("code", metavar="CODE", nargs="?", help="as in `error[GTI101]`")


def run(args: argparse.Namespace) -> int:
    from detc.diagnostics.did_you_mean import closest
    from detc.manual import page, rules
    from detc.report.ansi import standard_output

    known = rules()
    terminal = standard_output()
    if args.code is None:
        for code, listed in sorted(known.items()):
            print(f"{terminal.paint(code, 'bold')}  {listed.level:<8} {listed.message}")
        return OK
    rule = known.get(args.code.upper().strip("[]"))
    if rule is None:
        near = closest(args.code.upper(), list(known))
        return refuse(
            f"there is no code `{args.code}`", f"did you mean {near}?" if near else "`detc explain` lists all codes"
        )
    print(page(rule, terminal), end="")
    return OK

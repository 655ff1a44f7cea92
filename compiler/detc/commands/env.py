"""Make the environment that a target's own tools want: for loihi2, Python 3.11 with lava-dl.

detc env loihi2             makes .venv-loihi here; again: nothing to do, or it is made anew
detc env loihi2 --check     says what is there and whether it works

`detc train` uses it by itself. Everything but training with lava-dl's own blocks works without."""

from __future__ import annotations

import argparse
from pathlib import Path

from detc.commands.outcome import OK, refuse

KNOWN = ("loihi2",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help=f"whose tools: {', '.join(KNOWN)}")
    parser.add_argument("--into", type=Path, metavar="DIR", help="where it lies (default: .venv-loihi here)")
    parser.add_argument(
        "--python", metavar="NAME", help="the Python 3.11 it is made with (default: the one that is found)"
    )
    parser.add_argument("--check", action="store_true", help="make nothing; say what is there and whether it works")
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only")


def run(args: argparse.Namespace) -> int:
    if args.target not in KNOWN:
        return refuse(
            f"`{args.target}` has no environment of its own",
            f"those with one: {', '.join(KNOWN)}; for all others, everything runs in this one",
        )
    from detc.targets.loihi2.environment import PLACE, NotMade, look, make, program_in

    place = (args.into or Path(PLACE)).absolute()
    try:
        if args.check:
            if not program_in(place).exists():
                return refuse(f"there is no environment at {place}", "`detc env loihi2` makes it")
            found = look(program_in(place))
            print(f"{program_in(place)}: " + ", ".join(f"{name} {version}" for name, version in found.items()))
            return OK

        def say(line: str) -> None:
            if not args.quiet:
                print(line, flush=True)

        made = make(place, args.python, say)
        say(f"{place}: ready" if made else f"{place}: nothing to do")
    except NotMade as problem:
        return refuse(problem.message, problem.remedy)
    return OK

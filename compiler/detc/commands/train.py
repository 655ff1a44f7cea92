"""Build the project, then train it through all its stages. `detc train SPEC --help` also lists the options of train.py.

A second call with --resume goes on where the first one stopped; the trained weights lie in the build's runs/."""

from __future__ import annotations

import argparse

from detc.commands.building import add_folder
from detc.commands.outcome import MISTAKE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from detc.commands.options import add_optimize
    from detrt.train.options import add_options

    parser.add_argument("spec", metavar="SPEC", help="a .det file, or the name of a library spec")
    parser.add_argument("--target", metavar="NAME", help="the hardware that must hold it")
    add_optimize(parser)
    add_folder(parser)
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    add_options(parser)


def run(args: argparse.Namespace) -> int:
    from detc.commands.build import build
    from detc.commands.child import run_program
    from detc.commands.training import train_arguments

    outcome, folder = build(args)
    if folder is None:
        return outcome
    if not (folder / "train.py").is_file():
        from detc.commands.outcome import refuse

        return refuse(f"the spec `{args.spec}` has no train block", "add `train NAME on MODEL { .. }`") or MISTAKE
    return run_program(folder, "train.py", train_arguments(args))

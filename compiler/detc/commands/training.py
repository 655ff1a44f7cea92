"""The options of train.py as a command line again: what `detc train` hands on after building."""

from __future__ import annotations

import argparse
from pathlib import Path

OWN = {"spec", "target", "build", "force", "strict", "verbose", "sets"}
"""Options that the build has taken into account already."""


def train_arguments(args: argparse.Namespace) -> list[str]:
    """Every option of train.py that differs from its default. Relative data roots start at the spec's folder, or at the working
    folder for a library spec."""
    from detrt.train.options import add_options

    parser = argparse.ArgumentParser()
    add_options(parser)
    words: list[str] = []
    for action in parser._actions:
        value = getattr(args, action.dest, action.default)
        if action.dest in OWN or not action.option_strings or value == action.default or action.dest == "help":
            continue
        flag = action.option_strings[-1]
        if isinstance(action.default, bool):
            words.append(flag)
        elif isinstance(value, list):
            words += [part for entry in value for part in (flag, str(entry))]
        elif isinstance(value, tuple):
            words += [flag, ",".join(value)]
        else:
            words += [flag, "none" if value is None else str(value)]
    root = data_root(args)
    return words if args.data_root is not None or root is None else [*words, "--data-root", str(root)]


def data_root(args: argparse.Namespace) -> Path | None:
    """`--data-root`, else the folder of a spec that lies elsewhere, else None: where we are, then around the build."""
    if args.data_root is not None:
        return Path(args.data_root)
    home = Path(args.spec).resolve().parent
    return home if Path(args.spec).is_file() and home != Path.cwd() else None

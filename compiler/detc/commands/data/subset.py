"""Write a few pictures of each split as a set of their own: to overfit on, to try things out, to send along.

Each next picture holds the class that is rarest so far, so that no class is missing."""

from __future__ import annotations

import argparse

from detc.commands.data.making import add_making, usable, write
from detc.commands.data.source import add_source, find_source
from detc.commands.outcome import OK, refuse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_making(parser, "coco")
    parser.add_argument(
        "-n", "--images", type=int, default=16, metavar="N", help="pictures of each split (default: 16)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="chooses others (default: 0)")
    parser.add_argument("--as-it-comes", action="store_true", help="do not balance the classes")


def run(args: argparse.Namespace) -> int:
    from detrt.data.select import some
    from detrt.errors import DetrtError

    if args.images < 1:
        return refuse(f"--images {args.images}: at least 1 picture is needed")
    source = find_source(args)
    if isinstance(source, int):
        return source
    try:
        splits = usable(source, args)
        chosen = {split: some(d, args.images, args.seed, not args.as_it_comes) for split, d in splits.items()}
        write(args.out, chosen, args)
    except DetrtError as error:
        return refuse(str(error))
    return OK

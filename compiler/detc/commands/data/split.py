"""Write a data set with new splits: all its pictures (or those of --split) are parted anew by shares and seed.

Frames of one video stay together."""

from __future__ import annotations

import argparse

from detc.commands.data.making import add_making, usable, write
from detc.commands.data.source import add_source, find_source
from detc.commands.outcome import OK, refuse

NAMES = ("train", "val", "test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_making(parser, "coco")
    parser.add_argument(
        "--shares", default="80,20", metavar="A,B,C", help="parts of train, val and, if given, test (default: 80,20)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="parts otherwise (default: 0)")


def run(args: argparse.Namespace) -> int:
    from detrt.data.select import joined, parted
    from detrt.errors import DetrtError

    shares = _shares(args.shares)
    if shares is None:
        return refuse(f"--shares {args.shares}: two or three numbers above 0 are needed", "such as `--shares 70,20,10`")
    source = find_source(args)
    if isinstance(source, int):
        return source
    try:
        write(args.out, parted(joined(list(usable(source, args).values())), shares, args.seed), args)
    except DetrtError as error:
        return refuse(str(error))
    return OK


def _shares(text: str) -> dict[str, float] | None:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return None
    usable = len(numbers) in (2, 3) and all(0 < number < 1e9 for number in numbers)
    return dict(zip(NAMES, numbers, strict=False)) if usable else None

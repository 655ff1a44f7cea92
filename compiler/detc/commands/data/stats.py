"""Counts of a data set: boxes and pictures a class, sizes and shapes of boxes, boxes a picture, sizes of pictures.

`-o FILE` writes them as `.html`, `.png` or `.json` instead of printing them."""

from __future__ import annotations

import argparse
from pathlib import Path

from detc.commands.data.source import add_source, checked, find_source
from detc.commands.outcome import OK, refuse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="a page, a picture or JSON, as its name ends")


def run(args: argparse.Namespace) -> int:
    from detrt.data.stats import stats_of
    from detrt.data.stats_page import write_stats
    from detrt.errors import DetrtError

    source = find_source(args)
    if isinstance(source, int):
        return source
    try:
        stats = [stats_of(checked(source, split)) for split in source.splits(args.split)]
        if args.out is not None:
            write_stats(args.out, stats, source.name)
    except DetrtError as error:
        return refuse(str(error))
    if args.out is None:
        print("\n\n".join("\n".join(one.lines()) for one in stats))
    else:
        print(args.out)
    return OK

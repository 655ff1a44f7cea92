"""Write a data set in another format: voc, coco, yolo, or gnetdet (its list `name x1 y1 x2 y2 class ..`).

What the check leaves out is left out here too. The new folder appears whole or not at all."""

from __future__ import annotations

import argparse

from detc.commands.data.making import add_making, usable, write
from detc.commands.data.source import add_source, find_source
from detc.commands.outcome import OK, refuse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_making(parser, None)


def run(args: argparse.Namespace) -> int:
    from detrt.errors import DetrtError

    source = find_source(args)
    if isinstance(source, int):
        return source
    try:
        write(args.out, usable(source, args), args)
    except DetrtError as error:
        return refuse(str(error))
    return OK

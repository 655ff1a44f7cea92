"""A sheet of pictures as the loader really feeds them to a stage: augmented, resized, in the input's number format, boxes drawn.

For --split train the pictures come from the stage's own loader with its augmentation; others come without."""

from __future__ import annotations

import argparse
from pathlib import Path

from detc.commands.data.source import add_source, find_source
from detc.commands.outcome import OK, refuse
from detc.semantics.schema.data import SPLITS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser, split=False)
    parser.add_argument("--split", choices=SPLITS, default="train", help="default: train")
    parser.add_argument("--stage", metavar="NAME", help="whose loader (default: the first stage on this data)")
    parser.add_argument("-n", "--images", type=int, default=16, metavar="N", help="default: 16")
    parser.add_argument("--epoch", type=int, default=0, metavar="N", help="which epoch, counted from 0 (default: 0)")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("preview.png"), metavar="FILE", help="default: preview.png"
    )


def run(args: argparse.Namespace) -> int:
    from detrt.errors import DetrtError

    if not 1 <= args.images <= 400 or args.epoch < 0:
        return refuse("--images takes 1 to 400, --epoch 0 or more")
    if args.spec is None:
        return refuse("a preview needs a spec: the loader belongs to a stage", "detc data preview SPEC")
    source = find_source(args)
    if isinstance(source, int):
        return source
    compilation = source.compilation
    if compilation is None or compilation.model is None or compilation.graph is None or not compilation.program.stages:
        return refuse(f"{args.spec} has no model and stage to feed", "detc check SPEC says what is wrong with it")
    try:
        from detc.semantics.lock import lock_of
        from detrt.data.sheet import write_sheet
        from detrt.lock import parse_lock

        program, model, graph = compilation.program, compilation.model, compilation.graph
        lock = lock_of(program, model, graph, program.target, compilation.plan)
        lock["data"][source.name] = source.raw
        found = write_sheet(
            parse_lock(lock, args.spec), source.name, source.base, args.out,
            split=args.split, stage=args.stage, images=args.images, epoch=args.epoch,
        )  # fmt: skip
    except DetrtError as error:
        return refuse(str(error))
    print(f"{found.pictures} pictures of stage {found.stage}, {found.boxes} boxes: {args.out}")
    return OK

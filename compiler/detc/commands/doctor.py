"""Sanity checks before training, in a few minutes instead of after a night.

The first batch as pictures, target matches of each class, one loss step, overfitting on 8 pictures, and a learning-rate
curve; the report lies in the build's doctor/."""

from __future__ import annotations

import argparse
from pathlib import Path

from detc.commands.building import add_folder
from detc.commands.options import add_loudness, add_spec
from detc.commands.outcome import MISTAKE, OK, refuse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_folder(parser)
    parser.add_argument("--stage", metavar="NAME", help="the float stage to look at (default: the first)")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="where relative data roots start")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda (default: cpu)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="loader processes (default: 2)")
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="default: doctor/ in the build folder")
    add_loudness(parser)


def run(args: argparse.Namespace) -> int:
    from detc.commands.build import build
    from detc.commands.progress import steps
    from detc.commands.training import data_root
    from detrt.errors import DetrtError

    if args.workers < 0:
        return refuse(f"--workers {args.workers}: 0 or more are possible")
    outcome, folder = build(argparse.Namespace(**{**vars(args), "quiet": True}))
    if folder is None:
        return outcome
    out = args.out or folder / "doctor"
    try:
        from detrt.doctor import admit, examine

        root = data_root(args)
        patient = admit(folder, stage=args.stage, data_root=root, device=args.device, workers=args.workers, say=print)
        with steps() as say:
            report = examine(patient, out, say)
    except DetrtError as error:
        return refuse(str(error))
    print(report.text(), end="")
    print(f"pictures and report: {out}")
    return OK if report.healthy else MISTAKE

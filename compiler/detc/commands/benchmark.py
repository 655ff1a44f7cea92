"""Time of one picture on this machine: the generated net in torch, and the artifacts in their simulator."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from detc.commands.outcome import OK, refuse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", help="a spec that was built, or its build folder")
    parser.add_argument("--target", metavar="NAME", help="the target it was built for")
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="pictures that are timed (default: 20)")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda (default: cpu)")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="write the figures there as JSON too")


def run(args: argparse.Namespace) -> int:
    from detc.commands.finished import find_build

    folder = find_build(args.spec, args.target)
    if isinstance(folder, str):
        return refuse(folder, f"build first: detc build {args.spec}")
    if args.runs < 1:
        return refuse(f"--runs {args.runs}: at least 1 picture is needed")
    return benchmark(folder, args.runs, args.device, args.out)


def benchmark(folder: Path, runs: int, device: str, out: Path | None) -> int:
    """Prints the times of a build, and writes them to `out`."""
    from detc.commands.writing import write_whole
    from detrt.errors import DetrtError
    from detrt.timing import time_build

    try:
        timings = time_build(folder, runs, device)
    except DetrtError as error:
        return refuse(str(error))
    for timing in timings:
        print(timing.line())
    if out is not None:
        write_whole(out, json.dumps({"schema": 1, "timings": [t.as_dict() for t in timings]}, indent=2) + "\n")
        print(f"wrote {out}")
    return OK

"""Time of one picture on this machine: the generated net in torch, and the artifacts in their simulator.

Of artifacts that hold C code (or a build that has some): instructions of every layer, MACs an instruction, RAM and flash, on an
emulated Cortex-M and under callgrind; the time of a picture on every board, estimated; and the figures of ST Edge AI Core where
it is installed. Of artifacts for Loihi 2: events, synaptic operations and cores of every layer."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detc.commands.outcome import OK, refuse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "spec", metavar="SPEC", help="a spec that was built, its build folder, or artifacts (C code, `.net` files)"
    )
    parser.add_argument("--target", metavar="NAME", help="the target it was built for")
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="pictures that are timed (default: 20)")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda (default: cpu)")
    parser.add_argument(
        "--on",
        action="append",
        default=[],
        metavar="MACHINE",
        help="where C code is measured: host, qemu-m4, qemu-m7, qemu-m55; may be repeated (default: qemu-m7 and host)",
    )
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="write the figures there as JSON too")


def run(args: argparse.Namespace) -> int:
    from detc.commands import benchmark_c, benchmark_events
    from detc.commands.finished import find_build

    if benchmark_c.holds_code(Path(args.spec)):
        return benchmark_c.run(Path(args.spec), args.on, args.out)
    if benchmark_events.holds_nets(Path(args.spec)):
        return benchmark_events.run(Path(args.spec), args.runs, args.out)
    folder = find_build(args.spec, args.target)
    if isinstance(folder, str):
        return refuse(folder, f"build first: detc build {args.spec}")
    if args.runs < 1:
        return refuse(f"--runs {args.runs}: at least 1 picture is needed")
    return benchmark(folder, args.runs, args.device, args.out, args.on)


def benchmark(folder: Path, runs: int, device: str, out: Path | None, on: Sequence[str] = ()) -> int:
    """Prints the times of a build, and what its C code costs if it has some; writes them to `out`."""
    from detc.commands import benchmark_c, benchmark_events
    from detc.commands.writing import write_whole
    from detrt.errors import DetrtError
    from detrt.timing import time_build

    try:
        timings = time_build(folder, runs, device)
    except DetrtError as error:
        return refuse(str(error))
    for timing in timings:
        print(timing.line())
    figures: dict[str, Any] = {"schema": 1, "timings": [t.as_dict() for t in timings]}
    if benchmark_c.holds_code(folder / "artifacts"):
        print()
        measured = benchmark_c.measured(folder / "artifacts", on)
        if isinstance(measured, str):
            refuse(measured)
        else:
            figures["c"] = measured
    elif benchmark_events.holds_nets(folder / "artifacts"):
        print()
        counted = benchmark_events.measured(folder / "artifacts", runs)
        if isinstance(counted, str):
            refuse(counted)
        else:
            figures["events"] = counted
    if out is not None:
        write_whole(out, json.dumps(figures, indent=2) + "\n")
        print(f"wrote {out}")
    return OK

"""Train a grid of variants, each in a folder of its own, and compare them.

    detc sweep SPEC --over train.voc.detect.lr=[1e-3, 1e-4] --over width=[0.25, 0.5] -o sweeps/lr

Every point is checked before the first one is trained. The same command again goes on with what is missing. What this
command does not know is handed to `detc train` (--device, --data-root, --stage ..)."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from detc.commands.outcome import INTERRUPTED, MISTAKE, OK, refuse

if TYPE_CHECKING:
    from detc.sweep.grid import Axis, Point
    from detc.sweep.table import Row

PASSES_ON = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("spec", metavar="SPEC", help="a .det file, or the name of a library spec")
    add("--over", action="append", default=[], metavar="NAME=[A, B]", help="one axis of the grid; may be repeated")
    add("--target", metavar="NAME", help="the hardware that must hold it")
    add("--set", dest="sets", action="append", default=[], metavar="NAME=VALUE", help="the same for all points")
    add("-o", "--out", type=Path, metavar="DIR", help="folder of the runs (default: sweeps/SPEC)")
    add("--metric", default="map50", metavar="NAME", help="what the table is sorted by (default: map50)")
    add("--jobs", type=int, default=1, metavar="N", help="runs side by side on this machine (default: 1)")
    add("--skip-unfit", action="store_true", help="leave points out that do not fit, instead of refusing the sweep")
    add("--ray", nargs="?", const="", metavar="ADDRESS", help="run on Ray: a local one, or the cluster at ADDRESS")
    add("--cpus", type=float, default=1.0, metavar="N", help="cores that Ray gives a run (default: 1)")
    add("--dry-run", action="store_true", help="only show the points and whether they fit")


def run(args: argparse.Namespace) -> int:
    from detc.sweep.grid import points_of, read_axis

    axes = []
    for entry in args.over:
        axis = read_axis(entry)
        if isinstance(axis, str):
            return refuse(axis, "write `--over train.steps.float.lr=[1e-3, 1e-4]`, in quotes")
        axes.append(axis)
    if not axes:
        return refuse("a sweep needs at least one axis", "write `--over width=[0.25, 0.5]`")
    if args.jobs < 1 or args.cpus <= 0:
        return refuse(f"--jobs {args.jobs} and --cpus {args.cpus:g} have to be above 0")
    points = points_of(axes)
    if isinstance(points, str):
        return refuse(points, "give fewer values, or several sweeps")
    fitting = _checked(points, args)
    if fitting is None:
        return MISTAKE
    if args.dry_run:
        return OK
    return _sweep(fitting, axes, args)


def _checked(points: list[Point], args: argparse.Namespace) -> list[Point] | None:
    """The points that can be trained, each told in a line; None, with every finding, if one cannot and none may be left out."""
    from detc.commands.loading import load
    from detc.diagnostics.render_text import render

    fitting, refused = [], 0
    for point in points:
        sets = [*args.sets, *(f"{name}={value}" for name, value in point.settings)]
        compilation = load(argparse.Namespace(spec=args.spec, target=args.target, sets=sets))
        errors = [finding for finding in compilation.findings if finding.level == "error"]
        print(
            f"{point.number:03}  {', '.join(f'{n} = {v}' for n, v in point.settings)}  {'does not fit' if errors else 'ok'}"
        )
        if errors:
            refused += 1
            print(render(errors, compilation.program.sources))
        else:
            fitting.append(point)
    if refused and not args.skip_unfit:
        refuse(
            f"{refused} of {len(points)} points cannot be trained",
            "change the grid, or leave them out with --skip-unfit",
        )
        return None
    if not fitting:
        refuse("no point is left to train")
        return None
    return fitting


def _sweep(points: list[Point], axes: list[Axis], args: argparse.Namespace) -> int:
    from detc.sweep import runs
    from detc.sweep.table import Row, lines, ranked

    folder: Path = args.out or Path("sweeps") / Path(args.spec).stem
    common = [part for entry in args.sets for part in ("--set", entry)]
    target = ["--target", args.target] if args.target else []
    options = [*common, *target, *args.rest]
    rows = {point.number: Row(point, runs.finished(folder / point.folder)) for point in points}
    waiting = [row.point for row in rows.values() if row.outcome is None]
    if len(waiting) < len(points):
        print(f"{len(points) - len(waiting)} of {len(points)} points are done already")
    jobs = [runs.job_of(args.spec, point.sets, folder / point.folder, options) for point in waiting]
    _write(folder, list(rows.values()), axes, args)
    stop = threading.Event()
    try:
        ends = runs.here(jobs, args.jobs, stop) if args.ray is None else runs.on_ray(jobs, args.ray, args.cpus)
        for number, code in ends:
            point = waiting[number]
            outcome = runs.finished(folder / point.folder) if code in (0, 1) else None
            outcome = outcome or runs.Outcome("stopped" if code in (130, -2) else "failed")
            rows[point.number] = row = Row(point, outcome)
            value = row.figure(args.metric)
            shown = f"{args.metric} {value:.4f}" if value is not None else ""
            print(f"{point.folder}: {outcome.verdict}  {shown}".rstrip(), flush=True)
            if outcome.verdict == "failed":
                print("\n".join(f"    {line}" for line in _tail(folder / point.folder / runs.LOG)))
            _write(folder, list(rows.values()), axes, args)
    except ImportError:
        return refuse("Ray is not installed", "pip install 'detc[sweep]', or leave --ray out")
    except KeyboardInterrupt:
        stop.set()
        print("\nstopped: the same command goes on where this one ended")
        return INTERRUPTED
    table = ranked(list(rows.values()), args.metric, args.metric.startswith("loss"))
    print("\n" + "\n".join(lines(table, axes, args.metric)))
    print(f"\nall figures: {folder / 'sweep.csv'}")
    return OK if all(row.outcome and row.outcome.verdict == "done" for row in table) else MISTAKE


def _write(folder: Path, rows: list[Row], axes: list[Axis], args: argparse.Namespace) -> None:
    from detc.commands.writing import write_whole
    from detc.sweep.table import as_csv, as_json

    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "sweep.csv", as_csv(rows, axes))
    write_whole(folder / "sweep.json", as_json(rows, args.spec, args.target))


def _tail(log: Path) -> list[str]:
    """The last words of a run that failed."""
    try:
        text = log.read_bytes()[-4000:].decode("utf-8", "replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-6:]

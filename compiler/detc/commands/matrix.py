"""What fits where: every spec on every target, with the RAM or cores, the flash and the time that it takes there.

A spec with mistakes has them in its row. Exit 1 if there is such a spec; not to fit is no mistake here."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from detc.commands.options import add_output, read_sets
from detc.commands.outcome import MISTAKE, OK, refuse

if TYPE_CHECKING:
    from detc.report.matrix import Cell

FORMATS = ("text", "json", "html")
ALL = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("specs", nargs="+", metavar="SPEC", help="specs, folders of them, or names of library specs")
    parser.add_argument(
        "--targets", default=ALL, metavar="NAME,..", help="`all` boards and chips that detc knows, or some"
    )
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="NAME=VALUE", help="in every spec")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one for each core)")
    add_output(parser, FORMATS)


def run(args: argparse.Namespace) -> int:
    from detc.commands.waiting import busy
    from detc.commands.writing import deliver
    from detc.diagnostics import Finding
    from detc.library import find_spec
    from detc.report import matrix
    from detc.report.ansi import Terminal, standard_output

    sets = read_sets(args.sets)
    if isinstance(sets, str):
        return refuse(f"`--set {sets}` is no NAME=VALUE", "write `--set classes=3`")
    specs = list(dict.fromkeys(spec for name in args.specs for spec in _specs(name)))
    targets = _targets(args.targets)
    if not specs or not targets:
        return refuse("there is no spec in " + ", ".join(args.specs) if not specs else "`--targets` names none")
    for spec in specs:
        found = find_spec(spec)
        if isinstance(found, Finding):  # once, not for each target
            return refuse(found.message, found.help)
    with busy(f"judging {len(specs)} specs on {len(targets)} targets"):
        cells = list(cells_of(specs, targets, sets, args.jobs))
    if args.format == "json":
        text = matrix.as_json(cells)
    elif args.format == "html":
        text = matrix.as_html(cells)
    else:
        text = matrix.as_text(cells, Terminal() if args.out else standard_output())
    deliver(text, args.out)
    return OK if all(cell.judged for cell in cells) else MISTAKE


def cells_of(
    specs: Sequence[str], targets: Sequence[str], sets: Mapping[str, str], jobs: int | None = None
) -> Iterator[Cell]:
    """The cells, spec by spec. Each process takes a spec at a time and all its targets: they share what is read once."""
    import multiprocessing
    import os

    tasks = [(spec, tuple(targets), dict(sets)) for spec in specs]
    processes = min(jobs or os.cpu_count() or 1, len(tasks))
    if processes <= 1:
        yield from (cell for task in tasks for cell in _row(task))
        return
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if "fork" in methods else "spawn")
    with context.Pool(processes, _deaf) as pool:  # leaving the block, Ctrl-C too, ends all processes
        for row in pool.imap(_row, tasks):
            yield from row


def _deaf() -> None:
    """Ctrl-C is the parent's to answer."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _row(task: tuple[str, tuple[str, ...], dict[str, str]]) -> list[Cell]:
    from detc.commands.loading import load
    from detc.report.matrix import cell_of

    spec, targets, sets = task
    entries = [f"{name}={value}" for name, value in sets.items()]
    name = Path(spec).stem if spec.endswith(".det") else spec
    row = []
    for target in targets:
        done = load(argparse.Namespace(spec=spec, target=target, sets=entries, outputs=None), networks=True)
        row.append(cell_of(name, target, done))
    return row


def _specs(name: str) -> list[str]:
    """The specs of a folder, else the name itself: `load` says what is wrong with one that is no spec."""
    path = Path(name)
    return sorted(map(str, path.glob("*.det"))) if path.is_dir() else [name]


def _targets(text: str) -> list[str]:
    from detc.targets import judged_names

    if text.strip() == ALL:
        return list(judged_names())
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))

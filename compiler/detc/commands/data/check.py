"""Every problem of a data set, grouped with how often and an example, and what training does about it.

Opens every picture. `-v` lists each problem; `-o FILE.json` writes them all. Exit 1 where a split cannot be used, and with
`--strict` where anything is wrong."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detc.commands.data.source import Source, add_source, find_source
from detc.commands.outcome import MISTAKE, OK, refuse

if TYPE_CHECKING:
    from detrt.data.check import LabelReport
    from detrt.data.sample import DataSet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument("--strict", action="store_true", help="any problem is an error")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="write the problems there as JSON too")


def run(args: argparse.Namespace) -> int:
    from detc.commands.writing import write_whole
    from detrt.errors import DetrtError

    source = find_source(args)
    if isinstance(source, int):
        return source
    usable: dict[str, DataSet] = {}
    reports: list[LabelReport] = []
    broken = 0
    for split in source.splits(args.split):
        try:
            usable[split], report = _check(source, split)
        except DetrtError as error:
            refuse(str(error))
            broken += 1
            continue
        reports.append(report)
        print("\n".join(_every(report) if args.verbose else report.lines()))
    shared = _shared(usable)
    for line in shared:
        print(line)
    problems = sum(len(report.notices) for report in reports) + len(shared)
    if usable:
        where = f"in {len(usable)} split{'s' * (len(usable) > 1)}"
        print(f"{problems:,} problem{'s' * (problems != 1)} {where}" if problems else f"no problem {where}")
    if args.out is not None:
        write_whole(
            args.out,
            json.dumps({"schema": 1, "splits": [_json(r) for r in reports], "shared": shared}, indent=2) + "\n",
        )
    return MISTAKE if broken or (args.strict and problems) else OK


def _check(source: Source, split: str) -> tuple[DataSet, LabelReport]:
    from detc.commands.progress import bar
    from detrt.data.check import check_labels

    dataset = source.open(split)
    with bar(f"{source.name}.{split}") as tick:
        return check_labels(dataset, tick=lambda done: tick(done, len(dataset)))


def _shared(usable: dict[str, DataSet]) -> list[str]:
    from detrt.data.repeats import repeats

    return [
        f"{len(pairs):,} pictures of {second} are in {first} too, such as {pairs[0][1]} (there {pairs[0][0]})"
        for (first, second), pairs in repeats(usable).items()
    ]


def _every(report: LabelReport) -> list[str]:
    from detrt.data.root import printable

    rows = [f"  {n.kind:<20} {n.action:<22} {printable(f'{n.where}: {n.detail}')}" for n in report.notices]
    return [report.lines()[0], *rows]


def _json(report: LabelReport) -> dict[str, Any]:
    notices = [{"kind": n.kind, "where": n.where, "detail": n.detail, "action": n.action} for n in report.notices]
    counts = {"split": report.split, "pictures": report.pictures, "boxes": report.boxes, "per_class": report.per_class}
    return {**counts, "problems": notices}

"""The spec library: what each spec costs, its head, and the targets it fits as it stands."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from detc.commands.outcome import OK

FORMATS = ("text", "markdown", "json")
HEADS = ("spec", "parameters", "MACs", "input", "head", "fits")


@dataclass(frozen=True, slots=True)
class Entry:
    """One spec with its defaults. `input` is [channels, height, width]; `fits` names the targets of REFERENCES that hold it
    (`detc matrix` tells of all)."""

    name: str
    about: str
    params: int
    macs: int
    input: tuple[int, ...]
    head: str
    fits: tuple[str, ...]

    def cells(self) -> tuple[str, ...]:
        size = "x".join(map(str, self.input))
        return (self.name, f"{self.params:,}", f"{self.macs:,}", size, self.head, ", ".join(self.fits) or "-")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="write there instead of printing")


def run(args: argparse.Namespace) -> int:
    from detc.commands.writing import deliver
    from detc.library import library_names

    entries = [entry(name) for name in library_names()]
    writers = {"text": as_text, "markdown": as_markdown, "json": as_json}
    deliver(writers[args.format](entries) + "\n", args.out)
    return OK


def entry(name: str) -> Entry:
    """Compiles a library spec alone, and once for each target of the table."""
    from detc.compilation import compile_spec
    from detc.library import library_folder
    from detc.targets import REFERENCES

    path = library_folder() / f"{name}.det"
    alone = compile_spec(path)
    assert alone.graph is not None and alone.model is not None, f"the library spec {name} does not compile"
    about = next((line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("##")), "")
    heads = ", ".join(dict.fromkeys(head.kind for head in alone.model.heads))
    fits = tuple(target for target in REFERENCES if compile_spec(path, target).fits)
    shape = alone.graph.inputs[0].type.shape
    return Entry(name, about.lstrip("# "), alone.graph.params(), alone.graph.macs(), shape, heads, fits)


def as_text(entries: list[Entry]) -> str:
    rows = [HEADS, *(entry.cells() for entry in entries)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADS))]
    right = (False, True, True, False, False, False)
    lines = []
    for row in rows:
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def as_markdown(entries: list[Entry]) -> str:
    rows = [f"| {' | '.join(HEADS)} |", "|---|---:|---:|---|---|---|"]
    rows += [f"| `{cells[0]}` | {' | '.join(cells[1:])} |" for cells in (entry.cells() for entry in entries)]
    return "\n".join(rows)


def as_json(entries: list[Entry]) -> str:
    return json.dumps({"schema": 1, "specs": [asdict(entry) for entry in entries]}, indent=2)

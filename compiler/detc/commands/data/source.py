"""Which data set a command means: one of a spec, or one that lies on disk."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detc.commands.outcome import MISTAKE, refuse
from detc.compilation import Compilation
from detc.semantics.schema.data import FORMATS, SPLITS

if TYPE_CHECKING:
    from detc.semantics.program import Program
    from detrt.data.sample import DataSet

_UNNAMED = "?"


@dataclass(frozen=True, slots=True)
class Source:
    """A data block as the lock has it (`raw`), and where its relative root starts; `compilation` of a spec."""

    name: str
    raw: dict[str, Any]
    base: Path
    compilation: Compilation | None = None

    def splits(self, wanted: str | None) -> list[str]:
        """Those that the block names, or the one that is wanted."""
        return [split for split in SPLITS if self.raw.get(split) is not None and wanted in (None, split)]

    def open(self, split: str) -> DataSet:
        """As its label files say, with the boxes that training would not aim at (crowds, difficult ones). Raises DetrtError."""
        from detrt.data.opening import FLAGS, open_dataset

        options = {**(self.raw.get("options") or {}), **dict.fromkeys(FLAGS.values(), True)}
        return open_dataset({**self.raw, "options": options}, split, self.base, self.name)


def add_source(parser: argparse.ArgumentParser, split: bool = True) -> None:
    """SPEC with --data, or --format with --root; and --split."""
    parser.add_argument("spec", metavar="SPEC", nargs="?", help="a .det file, or the name of a library spec")
    parser.add_argument("--data", metavar="NAME", help="which data block of the spec (default: the first)")
    parser.add_argument("--target", metavar="NAME", help="the hardware of the spec, whose input format a preview shows")
    parser.add_argument(
        "--format", choices=[f for f in FORMATS if f != "synthetic"], help="instead of SPEC: a set on disk"
    )
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder of the set, with --format")
    parser.add_argument(
        "--set",
        dest="sets",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a value of the spec; with --format a key of the set, such as `train=trainval`; may be repeated",
    )
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="where relative data roots start")
    if split:
        parser.add_argument("--split", choices=SPLITS, help="only this one (default: all)")
    parser.add_argument("-v", "--verbose", action="store_true", help="more, and where detc itself failed")


def find_source(args: argparse.Namespace) -> Source | int:
    """The data set of `add_source`'s options; else the exit code, with everything said."""
    from detrt.data.root_folder import base_of
    from detrt.errors import DetrtError

    if (args.spec is None) == (args.format is None):
        return refuse(
            "name a data set: either SPEC, or --format with --root", "such as `--format voc --root data/mine`"
        )
    found = _on_disk(args) if args.format is not None else _of_spec(args)
    if isinstance(found, int):
        return found
    name, raw, bases, compilation = found
    try:
        source = Source(name, raw, base_of(raw, name, bases), compilation)
    except DetrtError as error:
        return refuse(str(error))
    if getattr(args, "split", None) and not source.splits(args.split):
        return refuse(f"the data set `{name}` has no split `{args.split}`", f"it has {', '.join(source.splits(None))}")
    return source


_Found = tuple[str, dict[str, Any], Sequence[Path], Compilation | None]


def _of_spec(args: argparse.Namespace) -> _Found | int:
    from detc.commands.loading import load
    from detc.commands.training import data_root

    compilation = load(args)
    blocks = compilation.program.data
    if not blocks or (args.data is not None and args.data not in blocks):
        errors = [finding for finding in compilation.findings if finding.level == "error"]
        if errors:
            return _told(compilation.program, errors)
        if not blocks:
            return refuse(
                f"{args.spec} has no data block", 'such as `data mine = data.voc(root = path("data/mine"), ..)`'
            )
        from detc.diagnostics.did_you_mean import closest

        near = closest(args.data, list(blocks))
        hint = f"did you mean `{near}`?" if near else f"it has {', '.join(blocks)}"
        return refuse(f"{args.spec} has no data `{args.data}`", hint)
    name = args.data or next(iter(blocks))
    base = data_root(args)
    bases = [base] if base is not None else [Path.cwd()]
    return name, {"format": blocks[name].format, **blocks[name].options}, bases, compilation


def _on_disk(args: argparse.Namespace) -> _Found | int:
    """As a spec of one data block would say it, so that its keys are read and checked the same way."""
    from detc.commands.options import read_sets
    from detc.semantics.elaborate import elaborate

    if args.root is None:
        return refuse(f"--format {args.format} needs --root, the folder of the set")
    sets = read_sets(args.sets)
    if isinstance(sets, str):
        return refuse(f"`--set {sets}` is no NAME=VALUE", "such as `--set train=trainval`")
    named = bool({"classes", "classes_file"} & sets.keys()) or args.format != "voc"
    given = "" if named else f'classes = ["{_UNNAMED}"]'
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / f"{args.format}.det"
        spec.write_text(f"data set = data.{args.format}({given})\n", encoding="utf-8")
        keys = {f"data.set.{key.removeprefix('data.set.')}": value for key, value in sets.items()}
        program = elaborate(spec, {"data.set.root": str(args.root.resolve()), **keys})
        errors = [finding for finding in program.findings if finding.level == "error"]
        if errors:
            return _told(program, errors)
    block = program.data["set"]
    raw = {"format": block.format, **block.options}
    if raw["classes"] == [_UNNAMED]:
        raw["classes"] = None
    if "val" not in sets and "validation_split" not in sets:
        raw["val"] = raw["val"] if _there(raw, "val") else None
    return args.root.resolve().name or "set", raw, [Path.cwd()], None


def _there(raw: dict[str, Any], split: str) -> bool:
    """Whether the files of a split that nobody asked for are there: a set on disk may have fewer than a format's defaults."""
    from detrt.data.opening import open_dataset
    from detrt.errors import DetrtError

    try:
        open_dataset(raw, split, Path.cwd())
    except DetrtError:
        return False
    return True


def _told(program: Program, errors: Sequence[Any]) -> int:
    from detc.commands.writing import deliver
    from detc.diagnostics.render_text import render
    from detc.report.ansi import standard_output

    deliver(render(errors, program.sources, standard_output().color), None)
    return MISTAKE


def checked(source: Source, split: str, say: Callable[[str], None] | None = None) -> DataSet:
    """The split with what cannot be used left out; `say` gets the lines of the check. Raises DetrtError."""
    from detc.commands.progress import bar
    from detrt.data.check import check_labels

    dataset = source.open(split)
    with bar(f"{source.name}.{split}") as tick:
        usable, report = check_labels(dataset, tick=lambda done: tick(done, len(dataset)))
    if say is not None:
        for line in report.lines():
            say(line)
    return usable

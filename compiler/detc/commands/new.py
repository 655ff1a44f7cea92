"""Start a spec of your own from one of the library: `detc new --like gnetdet224 mine.det`."""

from __future__ import annotations

import argparse
from pathlib import Path

from detc.commands.outcome import OK, refuse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="FILE", nargs="?", help="the spec to write (default: NAME.det)")
    parser.add_argument("--like", metavar="NAME", help="the library spec to start from")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


def run(args: argparse.Namespace) -> int:
    from detc.commands.writing import write_whole
    from detc.diagnostics import Finding
    from detc.library import find_spec, library_names

    if args.like is None:
        return refuse("`detc new` needs a spec to start from", "give one with --like: " + ", ".join(library_names()))
    source = find_spec(args.like)
    if isinstance(source, Finding):
        return refuse(source.message, source.help)
    path = args.path or Path(f"{source.stem}.det")
    if path.suffix != ".det":
        path = path.with_name(f"{path.name}.det")
    if path.exists() and not args.force:
        return refuse(f"{path} is there already", "choose another name, or write over it with --force")
    write_whole(path, source.read_text(encoding="utf-8"))
    print(f"wrote {path}: change its `data` block and `classes`, then `detc check {path}`")
    return OK

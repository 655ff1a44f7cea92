"""Format specs in place. `--check` only says which would change, `--diff` shows how.

Comments are kept, and the meaning never changes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from detc.commands.outcome import MISTAKE, OK, refuse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help=".det files or folders; `-` formats stdin to stdout")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file would change")
    parser.add_argument("--diff", action="store_true", help="change nothing; print what would change")


def run(args: argparse.Namespace) -> int:
    outcome = OK
    for path in _files(args.files):
        outcome = max(outcome, _one(path, args))
    return outcome


def _files(names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        if name == "-" or not Path(name).is_dir():
            found.append(name)
        else:
            found += sorted(str(path) for path in Path(name).rglob("*.det") if path.is_file())
    return found


def _one(path: str, args: argparse.Namespace) -> int:
    from detc.commands.writing import deliver, write_whole
    from detc.diagnostics import Source, has_errors
    from detc.diagnostics.render_text import render
    from detc.syntax.format import format_file
    from detc.syntax.reading import read_source

    if path == "-":
        try:
            source = Source(path, sys.stdin.read())
        except UnicodeDecodeError as error:
            return refuse(f"stdin is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}")
    else:
        read, findings = read_source(path)
        if read is None:
            print(render(findings, {}, False), end="", file=sys.stderr)
            return MISTAKE
        source = read
    text = source.text
    formatted, findings = format_file(text, path)
    if has_errors(findings):
        print(render(findings, {path: source}, False), end="", file=sys.stderr)
        return MISTAKE
    if path == "-":
        deliver(formatted, None)
        return OK
    if formatted == text:
        return OK
    if args.diff:
        import difflib

        lines = difflib.unified_diff(text.splitlines(True), formatted.splitlines(True), path, f"{path} formatted")
        deliver("".join(lines), None)
    elif args.check:
        print(f"would format {path}")
    else:
        write_whole(Path(path).resolve(), formatted)  # a link stays a link
        print(f"formatted {path}")
        return OK
    return MISTAKE if args.check else OK

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
        found += sorted(map(str, Path(name).rglob("*.det"))) if name != "-" and Path(name).is_dir() else [name]
    return found


def _one(path: str, args: argparse.Namespace) -> int:
    from detc.commands.writing import deliver, write_whole
    from detc.diagnostics import Source, has_errors
    from detc.diagnostics.render_text import render
    from detc.syntax.format import format_file

    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        return refuse(f"{path} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}")
    except OSError as error:
        return refuse(f"{path}: {error.strerror}")
    formatted, findings = format_file(text, path)
    if has_errors(findings):
        print(render(findings, {path: Source(path, text)}, False), end="", file=sys.stderr)
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
        write_whole(Path(path), formatted)
        print(f"formatted {path}")
        return OK
    return MISTAKE if args.check else OK

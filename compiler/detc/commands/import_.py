"""Another tool's file as a spec: `detc import user_config.yaml -o mine.det`.

.yaml, .yml: a training configuration of the ST model zoo. Every setting is told: what it became, or why it has no place."""

from __future__ import annotations

import argparse
from pathlib import Path

from detc.commands.outcome import MISTAKE, OK, refuse

SUFFIXES = (".yaml", ".yml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="the file to read")
    parser.add_argument("-o", "--out", type=Path, metavar="SPEC", help="the spec to write (default: FILE with .det)")
    parser.add_argument("--force", action="store_true", help="write over a spec that is there")


def run(args: argparse.Namespace) -> int:
    from detc.commands.writing import write_whole
    from detc.compilation import compile_spec
    from detc.diagnostics import has_errors
    from detc.diagnostics.render_text import render
    from detc.importers.st_yaml.importing import import_configuration
    from detc.library import library_text

    if args.file.suffix.lower() not in SUFFIXES:
        return refuse(f"{args.file} is of no known kind", f"known: {', '.join(SUFFIXES)}")
    out = args.out or args.file.with_suffix(".det")
    if out.suffix != ".det":
        return refuse(f"{out} is no name of a spec", "give one that ends in .det")
    if out.exists() and not args.force:
        return refuse(f"{out} is there already", "choose another name with -o, or write over it with --force")
    imported, findings, sources = import_configuration(args.file, library_text)
    if imported is None:
        print(render(findings, sources), end="")
        return MISTAKE
    write_whole(out, imported.text)
    width = max((len(fate.setting.path) for fate in imported.fates), default=0)
    for taken, title in ((True, "taken"), (False, "not taken")):
        rows = [fate for fate in imported.fates if fate.taken is taken]
        print(f"{title}: {len(rows)}")
        for fate in rows:
            print(f"  {fate.setting.path:<{width}}  {fate.words}")
    if imported.command:
        print(f"on the command line: {', '.join(imported.command)}")
    done = compile_spec(out)
    problems = [finding for finding in done.findings if finding.level != "note"]
    if problems:
        print(render(problems, done.program.sources), end="")
    print(f"wrote {out}: `detc check {out}` judges it, `detc train {out}` trains it")
    return MISTAKE if has_errors(done.findings) else OK

"""Another tool's file as a spec: `detc import user_config.yaml -o mine.det`, `detc import net.onnx -o mine.det`.

.yaml, .yml: a training configuration of the ST model zoo. Every setting is told: what it became, or why it has no place.
.onnx, .tflite: a network, float or quantised. Its weights go beside the spec, `mine.safetensors`.
.net: a network for Loihi 2, in whole numbers."""

from __future__ import annotations

import argparse
from pathlib import Path

from detc.commands.outcome import MISTAKE, OK, refuse

CONFIGURATIONS = (".yaml", ".yml")
NETWORKS = (".onnx", ".tflite", ".net")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from detc.commands.options import add_outputs

    parser.add_argument("file", type=Path, metavar="FILE", help="the file to read")
    parser.add_argument("-o", "--out", type=Path, metavar="SPEC", help="the spec to write (default: FILE with .det)")
    parser.add_argument("--force", action="store_true", help="write over a spec that is there")
    add_outputs(parser)


def run(args: argparse.Namespace) -> int:
    kind = args.file.suffix.lower()
    if kind not in CONFIGURATIONS + NETWORKS:
        return refuse(f"{args.file} is of no known kind", f"known: {', '.join(CONFIGURATIONS + NETWORKS)}")
    if args.outputs and kind not in NETWORKS:
        return refuse("`--outputs` names tensors of a network", "leave it out")
    out = args.out or args.file.with_suffix(".det")
    if out.suffix != ".det":
        return refuse(f"{out} is no name of a spec", "give one that ends in .det")
    files = [out, *([out.with_suffix(".safetensors")] if kind in NETWORKS else [])]
    there = next((file for file in files if file.exists()), None)
    if there is not None and not args.force:
        return refuse(f"{there} is there already", "choose another name with -o, or write over it with --force")
    return _network(args, out) if kind in NETWORKS else _configuration(args, out)


def _configuration(args: argparse.Namespace, out: Path) -> int:
    from detc.commands.writing import write_whole
    from detc.diagnostics.render_text import render
    from detc.importers.st_yaml.importing import import_configuration
    from detc.library import library_text

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
    return _judged(out, f"wrote {out}: `detc check {out}` judges it, `detc train {out}` trains it")


def _network(args: argparse.Namespace, out: Path) -> int:
    from detc.commands.loading import names_in
    from detc.commands.waiting import busy
    from detc.commands.writing import write_whole
    from detc.diagnostics.render_text import render
    from detc.importers.network.importing import import_network
    from detc.importers.network.weights_file import write_weights
    from detc.importers.unreadable import Unreadable

    with busy(f"reading {args.file}"):
        imported = import_network(args.file, names_in(args.outputs), out.stem)
    if isinstance(imported, list):
        print(render(imported, {}), end="")
        return MISTAKE
    weights = out.with_suffix(".safetensors")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with busy(f"writing {weights}"):
            write_weights(weights, imported.weights, imported.ranges)
    except Unreadable as error:
        return refuse(f"{args.file}: {error}", error.remedy)
    write_whole(out, imported.text)
    graph = imported.graph
    layers = len(graph) - len(graph.inputs)
    print(f"{layers} layers, {graph.params():,} parameters, {graph.macs():,} multiplications a picture")
    if imported.ranges:
        print(f"ranges of {len(imported.ranges)} layers, as the file's 8 bits have them")
    for note in imported.notes:
        print(f"note: {note.message}")
    return _judged(out, f"wrote {out} and {weights}: `detc check {out} --target NAME` judges it")


def _judged(out: Path, done: str) -> int:
    """Compiles what was written, tells what is wrong with it, then `done`."""
    from detc.compilation import compile_spec
    from detc.diagnostics import has_errors
    from detc.diagnostics.render_text import render

    compilation = compile_spec(out)
    problems = [finding for finding in compilation.findings if finding.level != "note"]
    if problems:
        print(render(problems, compilation.program.sources), end="")
    print(done)
    return MISTAKE if has_errors(compilation.findings) else OK

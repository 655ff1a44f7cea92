"""`detc export net.tflite --target BOARD -o artifacts`: the artifacts of another tool's int8 network, from its own whole numbers
and scales, without any training."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detc.commands.outcome import MISTAKE, OK, refuse

if TYPE_CHECKING:
    from detc.compilation import Compilation
    from detc.importers.network.importing import Imported

FORMATS = (".onnx", ".tflite")


def run(file: Path, target: str | None, words: Sequence[str]) -> int:
    """Exports `file`, with what follows on the command line."""
    from detc.commands.loading import names_in
    from detc.commands.options import add_outputs
    from detc.commands.waiting import busy
    from detc.compilation import compile_imported
    from detc.diagnostics import has_errors
    from detc.diagnostics.render_text import render
    from detc.importers.network.importing import import_network

    parser = argparse.ArgumentParser(prog=f"detc export {file}")
    parser.add_argument("-o", "--out", type=Path, default=Path("artifacts"), metavar="DIR", help="default: artifacts/")
    add_outputs(parser)
    options = parser.parse_args(list(words))
    if target is None:
        return refuse("no board is named for the network", "give --target NAME; `detc targets` lists them")
    with busy(f"reading {file}"):
        imported = import_network(file, names_in(options.outputs))
    if isinstance(imported, list):
        print(render(imported, {}), end="")
        return MISTAKE
    if not imported.ranges:
        return refuse(
            f"{file} holds real numbers only, and no ranges of its layers",
            f"calibrate it on pictures: `detc import {file} -o {imported.name}.det`, then "
            f"`detc train {imported.name}.det --target {target}`; or export it quantised from the tool that made it",
        )
    compilation = compile_imported(file, imported, target)
    problems = [finding for finding in compilation.findings if finding.level != "note"]
    if problems:
        print(render(problems, compilation.program.sources), end="")
    if has_errors(compilation.findings):
        return MISTAKE
    if find_spec("torch") is None:
        return refuse("exporting needs torch", "pip install 'detc[train]'")
    return _exported(file, compilation, imported, options.out)


def _exported(file: Path, compilation: Compilation, imported: Imported, out: Path) -> int:
    from detc.commands.waiting import busy
    from detc.importers.unreadable import Unreadable
    from detc.semantics.lock import lock_of
    from detrt.devices import backend
    from detrt.errors import DetrtError

    program, model, graph = compilation.program, compilation.model, compilation.graph
    assert model is not None and graph is not None and program.target is not None
    try:
        package = backend(program.target.name, program.target.lineage)
        if not hasattr(package, "export_imported"):
            return refuse(
                f"`{program.target.name}` computes in other whole numbers than those of the file",
                "import it and train it for that target, or choose an STM32 board",
            )
        lock: dict[str, Any] = json.loads(json.dumps(lock_of(program, model, graph, program.target, compilation.plan)))
        lock["spec"]["sha256"] = sha256(file.read_bytes()).hexdigest()
        with busy(f"writing {out}"):
            state = {name: read() for name, read in imported.weights.items()}
            steps = {name: read() for name, read in imported.steps.items()}
            report = package.export_imported(lock, state, imported.ranges, out, steps)
    except Unreadable as error:
        return refuse(str(error), error.remedy)
    except DetrtError as error:
        return refuse(str(error))
    for finding in report["findings"]:
        print(f"{finding['level']}: {finding['message']}")
    for note in imported.notes:
        print(f"note: {note.message}")
    found = f"head {model.heads[0].kind}" if model.heads else "no head is known: `detc run` writes the raw outputs"
    print(f"{len(report['files'])} files in {out}; {found}")
    return OK

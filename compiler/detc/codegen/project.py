"""The files of a build: the net and the short programs around it, which import detrt and nothing of detc."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from detc.codegen.model import model_source
from detc.codegen.names import class_name, docstring, inert, unique
from detc.codegen.readme import readme, stage_row
from detc.codegen.slayer_net import slayer_source
from detc.codegen.spelling import quoted
from detc.semantics.program import Model, Program

REQUIREMENTS = "detc[train]=={version}\n"

PROGRAM = """{said}
from pathlib import Path

from {package} import {function}
{imports}

LOCK = Path(__file__).resolve().with_name("spec.lock.json")

if __name__ == "__main__":
    raise SystemExit({function}({models}, LOCK{more}))
"""


def project_files(program: Program, model: Model, lock: Mapping[str, Any]) -> dict[str, str]:
    """Texts by path: spec.lock.json, model.py, README.md, requirements.txt and, where the spec has stages, train.py and
    evaluate.py; export.py where it also has a target, and slayer_net.py for one whose nets lava-dl trains. A model that a
    stage trains besides the built one is in model_NAME.py, and slayer_net_NAME.py. Equal for equal arguments.
    """
    modules = {model.name: ("model", str(lock["model"]["class"]))}
    files = {
        "spec.lock.json": json.dumps(lock, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n",
        "model.py": model_source(model, str(lock["model"]["class"])),
        "requirements.txt": REQUIREMENTS.format(version=lock["detc"]),
    }
    for name in dict.fromkeys(stage["model"] for stage in lock["stages"]):
        if name not in modules:
            modules[name] = (f"model_{name}", str(lock["models"][name]["class"]))
            files[f"model_{name}.py"] = model_source(program.models[name], modules[name][1])
    slayer = {}
    for name in modules if lock["stages"] else ():
        source = slayer_source(lock, None if name == model.name else name)
        if source is not None:
            slayer[name] = modules[name][0].replace("model", "slayer_net", 1)
            files[f"{slayer[name]}.py"] = source
    files |= _programs(lock, modules, slayer)
    files["README.md"] = readme(model, lock, sorted(files))
    return files


def _programs(
    lock: Mapping[str, Any], modules: Mapping[str, tuple[str, str]], slayer: Mapping[str, str]
) -> dict[str, str]:
    """The programs; `slayer` are the modules with nets in lava-dl's blocks by model."""
    if not lock["stages"]:
        return {}
    name = inert(str(lock["spec"]["name"]))
    imports, models = _imports(modules)
    train = [
        f"Trains {name}: `python train.py`, or `torchrun --nproc_per_node=2 train.py`; `--help` lists the options.",
        "The stages and all their values are in spec.lock.json; `--set` changes one.",
    ]
    evaluate = [f"Scores a checkpoint of {name} on a split of its data: `python evaluate.py`."]
    export = [f"Writes artifacts/, the files that {name} needs on the device: `python export.py`."]
    pairs = [f"{quoted(name)}: {quoted(module)}" for name, module in slayer.items()]
    blocks = f", slayer={{{', '.join(pairs)}}}" if pairs else ""
    files = {
        "train.py": _program(_table(train, lock), "main", imports, models, blocks),
        "evaluate.py": _program(docstring(evaluate, 0), "evaluate_main", imports, models),
    }
    if lock["target"]:
        files["export.py"] = _program(docstring(export, 0), "export_main", imports, models)
    return files


def _program(said: Sequence[str], function: str, imports: str, models: str, more: str = "") -> str:
    return PROGRAM.format(
        said="\n".join(said) + "\n",
        package="detrt.train",
        function=function,
        imports=imports,
        models=models,
        more=more,
    )


def _imports(modules: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """Import lines for the classes, and what `main` is given: the class, or a mapping of classes by model."""
    taken: set[str] = set()
    lines, pairs = [], []
    for name, (module, given) in modules.items():
        original = class_name(given)
        known = unique(original, taken)
        taken.add(known)
        lines.append(f"from {module} import {original}" + (f" as {known}" if known != original else ""))
        pairs.append(f'"{name}": {known}')
    only = next(iter(taken)) if len(taken) == 1 else ""
    return "\n".join(lines), only or f"{{{', '.join(pairs)}}}"


def _table(said: Sequence[str], lock: Mapping[str, Any]) -> list[str]:
    """The docstring of train.py with the stages as a table."""
    rows = [("stage", "from", "length", "lr", "quantised"), *(stage_row(stage) for stage in lock["stages"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    top = docstring(said, 0)
    return [*top[:-1], "", *(f"    {inert_line(line)}" for line in lines), '"""']


def inert_line(line: str) -> str:
    """A line of a docstring whose inner spaces are kept."""
    return " ".join(inert(part) if part else "" for part in line.split(" ")).replace("\\", "\\\\").replace('"', "'")

"""The build folder of a compiled spec: which files it gets, and where it lies."""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detc.compilation import Compilation
from detc.semantics.program import Program


@dataclass(frozen=True, slots=True)
class Project:
    """All texts of a build by their path inside `folder`; `facts` go into its manifest."""

    folder: Path
    files: dict[str, str]
    facts: dict[str, Any]


def add_folder(parser: argparse.ArgumentParser) -> None:
    """--build and --force."""
    parser.add_argument("--build", type=Path, metavar="DIR", help="the build folder (default: build/SPEC-TARGET)")
    parser.add_argument("--force", action="store_true", help="write over files of the build that you edited")


def default_folder(name: str, target: str | None) -> Path:
    return Path("build") / (f"{name}-{target}" if target else name)


def project_of(compilation: Compilation, folder: Path | None) -> Project:
    """The project of a compilation without errors: code, lock and report, equal for equal specs."""
    from detc.codegen.manifest import facts_of
    from detc.codegen.project import project_files
    from detc.report.ansi import Terminal
    from detc.report.html import report_html
    from detc.report.json_report import report_text as json_text
    from detc.report.text import report_text
    from detc.semantics.lock import lock_of

    program, model, graph = compilation.program, compilation.model, compilation.graph
    assert model is not None and graph is not None
    specs, plans = _plain_specs(program), compilation.plans
    lock = lock_of(program, model, graph, program.target, compilation.plan, plain_specs=specs, plans=plans)
    files = project_files(program, model, lock)
    files |= {
        "report.txt": report_text(compilation, Terminal()),
        "report.json": json_text(compilation),
        "report.html": report_html(compilation),
    }
    target = program.target.name if program.target else None
    return Project(folder or default_folder(program.name, target), files, facts_of(lock))


def _plain_specs(program: Program) -> dict[str, str]:
    """The pruned models as specs of their own, for the stages that cut them."""
    pruned = [model for model in program.models.values() if model.derivation is not None]
    if not pruned:
        return {}
    from detc.codegen.det import Unwritable, plain_spec, pruned_from

    texts = {}
    for model in pruned:
        with suppress(Unwritable):  # it can be trained all the same
            texts[model.name] = plain_spec(model, pruned_from(model, program.name))
    return texts

"""One run of the compiler over a spec: elaborate, pass, judge. What every command starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detc.diagnostics import Source, has_errors
from detc.ir.graph import Graph, Node
from detc.passes.context import Context
from detc.passes.pipeline import FRONT, LOWERING, run
from detc.report.subject import Compilation
from detc.semantics.elaborate import elaborate
from detc.semantics.gates import judge as judge_gates
from detc.semantics.program import Model, Program
from detc.smaller import with_remedy
from detc.targets import backend_of
from detc.targets.backend import Judgement

if TYPE_CHECKING:
    from detc.importers.network.importing import Imported


def compile_spec(
    path: Path,
    target: str | None = None,
    sets: Mapping[str, str] | None = None,
    optimize: bool = False,
    advise: bool = False,
) -> Compilation:
    """Everything that can be known of the spec at `path` before training, judged on `target` if one is named.

    With `optimize` the target may look for a better plan for longer than a check may take. With `advise` a net that is too large
    is tried with other params, to name the one that helps.
    """

    def attempt(more: Mapping[str, str]) -> Compilation:
        return compile_program(elaborate(path, {**(sets or {}), **more}, target), target, optimize)

    done = attempt({})
    return with_remedy(done, attempt) if advise else done


def compile_network(
    path: Path,
    target: str | None = None,
    sets: Mapping[str, str] | None = None,
    outputs: Sequence[str] = (),
    optimize: bool = False,
) -> Compilation:
    """As `compile_spec`, of another tool's network: what the spec would be that `detc import` makes of it (up to its tensors
    `outputs`). Findings speak of operators of the file; what is in no file but that spec, of its lines."""
    from detc.importers.network.importing import import_network

    imported = import_network(path, outputs)
    if isinstance(imported, list):
        return Compilation(Program(path.stem, str(path), findings=imported), target, findings=tuple(imported))
    return compile_imported(path, imported, target, sets, optimize)


def compile_imported(
    path: Path,
    imported: Imported,
    target: str | None = None,
    sets: Mapping[str, str] | None = None,
    optimize: bool = False,
) -> Compilation:
    """As `compile_network`, of a file that is read already."""
    from detc.importers.network.places import in_spec, listing, located, spec_source

    program = elaborate(path, dict(sets or {}), target, imported.text)
    program.findings += imported.notes
    file, foreign = program.file, imported.foreign
    spec = spec_source(imported.name, imported.text)
    program.sources[spec.path] = spec
    if foreign is not None:
        program.sources[file] = Source(file, listing(foreign))
        for model in program.models.values():
            model.foreign = foreign
            model.graph = located(model.graph, foreign, imported.makers, file)
    done = compile_program(program, target, optimize)
    done.findings = tuple(in_spec(finding, file, spec) for finding in done.findings)
    return done


def compile_program(program: Program, target: str | None, optimize: bool = False) -> Compilation:
    """As `compile_spec`, of a program that is elaborated already."""
    deploys = [d for d in program.deploys if d.model in program.models]
    models = [program.models[d.model] for d in deploys] or _main_model(program)
    done = Compilation(program, program.target.name if program.target else target, findings=tuple(program.findings))
    measured: dict[str, dict[str, Any]] = {}
    for number, model in enumerate(dict.fromkeys(id(m) for m in models)):
        chosen = next(m for m in models if id(m) == model)
        part = _compile_model(program, chosen, optimize)
        measured[chosen.name] = part.metrics
        done.findings += part.findings
        done.refused |= part.refused
        if number == 0:
            done.model, done.graph, done.metrics, done.limits = chosen, part.graph, part.metrics, part.limits
            done.layers, done.plan, done.deploy = part.layers, part.plan, next(iter(deploys), None)
            done.groups, done.memory, done.titles = part.groups, part.memory, part.titles
            done.units, done.errors, done.brief = part.units, part.errors, part.brief
            done.timeline, done.tables = part.timeline, part.tables
        elif part.plan is not None:
            done.plans[chosen.name] = part.plan
        chosen.graph = part.graph or chosen.graph
    judged, found = judge_gates([*program.gates, *(program.target.gates if program.target else [])], done.metrics)
    program.gates = judged[: len(program.gates)]
    for deploy in deploys:
        # Each deploy block asks of the model that it deploys.
        deploy.gates, more = judge_gates(deploy.gates, measured[deploy.model])
        found += more
    done.refused |= has_errors(found)
    levels = ("error", "warning", "note")
    done.findings = tuple(sorted((*done.findings, *found), key=lambda finding: levels.index(finding.level)))
    return done


def _main_model(program: Program) -> list[Model]:
    """The last detector of the file, else its last model: later ones build on earlier ones."""
    models = list(program.models.values())
    return ([model for model in models if model.kind == "detector"] or models)[-1:]


def _compile_model(program: Program, model: Model, optimize: bool) -> Compilation:
    context = Context(program.target, model.host)
    graph, found = run(model.graph, FRONT, context)
    judgement = Judgement()
    if program.target is not None and len(graph):
        known = backend_of(program.target.lineage)
        if known is not None:
            lowered, more = run(graph, (*LOWERING, *known.passes), context)
            judgement = known.judge(lowered, replace(model, graph=graph), program.target, optimize)
            found = (*found, *more)
    metrics: dict[str, Any] = {"params": graph.params(), "macs": graph.macs()}
    return Compilation(
        program,
        None,
        model,
        graph,
        (*found, *judgement.findings),
        metrics | judgement.metrics,
        judgement.limits,
        [_row(graph, node, judgement.columns.get(node.name, {})) for node in graph],
        judgement.plan,
        judgement.groups,
        judgement.memory,
        judgement.titles,
        judgement.units,
        judgement.errors,
        judgement.brief,
        judgement.timeline,
        judgement.tables,
        refused=has_errors(judgement.findings),
    )


def _row(graph: Graph, node: Node, extra: dict[str, Any]) -> dict[str, Any]:
    """A row of the layer table; the target's columns come behind the common ones."""
    inputs = graph.input_types(node)
    return {
        "name": node.name,
        "op": node.op.name,
        **node.op.row(),
        "in_shape": list(inputs[0].shape) if inputs else None,
        "out_shape": list(node.type.shape),
        "params": node.op.params(inputs) if node.owns_weights else 0,
        "macs": node.op.macs(inputs, node.type),
        "span": node.span.as_json() if node.span else None,
        **extra,
    }


__all__ = ["Compilation", "compile_imported", "compile_network", "compile_program", "compile_spec"]

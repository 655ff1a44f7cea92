"""One run of the compiler over a spec: elaborate, pass, judge. What every command starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from detc.diagnostics import Finding, has_errors
from detc.ir.graph import Graph, Node
from detc.passes.context import Context
from detc.passes.pipeline import FRONT, LOWERING, run
from detc.semantics.elaborate import elaborate
from detc.semantics.gates import judge as judge_gates
from detc.semantics.program import Deploy, Model, Program
from detc.targets import backend
from detc.targets.backend import Judgement


@dataclass(slots=True)
class Compilation:
    """A spec as compiled. `model` is the one that the target holds (or the last of the file), `graph` its counted graph.

    `metrics`, `limits` (budget bars), `layers` (table rows) and `groups` are plain JSON values. `plan` is the target's mapping, None
    without a target or where there is nothing to map. `fits` is true if no finding is an error.
    """

    program: Program
    target: str | None
    model: Model | None = None
    graph: Graph | None = None
    findings: tuple[Finding, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    limits: list[dict[str, Any]] = field(default_factory=list)
    layers: list[dict[str, Any]] = field(default_factory=list)
    plan: dict[str, Any] | None = None
    groups: list[dict[str, Any]] = field(default_factory=list)
    memory: str = ""
    titles: dict[str, str] = field(default_factory=dict)
    deploy: Deploy | None = None

    @property
    def fits(self) -> bool:
        return not has_errors(self.findings)

    @property
    def placeholders(self) -> int:
        """How many facts of the target have no source yet."""
        return len(self.program.target.placeholders()) if self.program.target else 0


def compile_spec(path: Path, target: str | None = None, sets: Mapping[str, str] | None = None) -> Compilation:
    """Everything that can be known of the spec at `path` before training, judged on `target` if one is named."""
    program = elaborate(path, dict(sets or {}), target)
    return compile_program(program, target)


def compile_program(program: Program, target: str | None) -> Compilation:
    """As `compile_spec`, of a program that is elaborated already."""
    deploys = [d for d in program.deploys if d.model in program.models]
    models = [program.models[d.model] for d in deploys] or list(program.models.values())[-1:]
    done = Compilation(program, program.target.name if program.target else target, findings=tuple(program.findings))
    for number, model in enumerate(dict.fromkeys(id(m) for m in models)):
        chosen = next(m for m in models if id(m) == model)
        part = _compile_model(program, chosen)
        done.findings += part.findings
        if number == 0:
            done.model, done.graph, done.metrics, done.limits = chosen, part.graph, part.metrics, part.limits
            done.layers, done.plan, done.deploy = part.layers, part.plan, next(iter(deploys), None)
            done.groups, done.memory, done.titles = part.groups, part.memory, part.titles
            chosen.graph = part.graph or chosen.graph
    gates = [*program.gates, *(gate for deploy in deploys for gate in deploy.gates)]
    judged, found = judge_gates(gates, done.metrics)
    done.findings += tuple(found)
    verdicts = iter(judged)
    program.gates = [next(verdicts) for _ in program.gates]
    for deploy in deploys:
        deploy.gates = [next(verdicts) for _ in deploy.gates]
    return done


def _compile_model(program: Program, model: Model) -> Compilation:
    context = Context(program.target, model.host)
    graph, found = run(model.graph, FRONT, context)
    judgement = Judgement()
    if program.target is not None and len(graph):
        known = backend(program.target.lineage)
        if known is not None:
            lowered, more = run(graph, (*LOWERING, *known.passes), context)
            judgement = known.judge(lowered, replace(model, graph=graph), program.target)
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

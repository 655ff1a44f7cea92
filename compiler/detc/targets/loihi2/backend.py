"""Loihi 2 as a target: judge a lowered graph, spread it over cores, and say what it costs."""

from __future__ import annotations

from detc.diagnostics import Finding, has_errors
from detc.ir.graph import Graph
from detc.semantics.program import Model, Target
from detc.targets.backend import Judgement, TargetBackend
from detc.targets.facts import Facts
from detc.targets.loihi2.budget_checks import check_budget
from detc.targets.loihi2.chain import read_chains
from detc.targets.loihi2.facts import complete
from detc.targets.loihi2.layer_checks import check_layers
from detc.targets.loihi2.metrics import BRIEF, TITLES, columns, core_table, errors, limits, metrics
from detc.targets.loihi2.net_checks import check_net
from detc.targets.loihi2.plan import plan_json
from detc.targets.loihi2.tiles import Mapper
from detc.targets.loihi2.verify import verify_plan


def judge(graph: Graph, model: Model, target: Target, optimize: bool = False) -> Judgement:
    """Everything Loihi 2 says of a model: findings, the plan of its nets, metrics, budget bars and the table of cores."""
    missing = complete(target)
    if missing:
        return Judgement(findings=missing)
    facts = Facts(target)
    chains = read_chains(graph, model.host, facts)
    found: list[Finding] = list(chains.findings)
    if not chains.neurons:
        return Judgement(findings=tuple(found))
    mapper = Mapper(facts)
    layers = [layer for net in chains.nets for layer in net.layers if layer.multiplies]
    mapped = {layer.name: part for layer in layers if (part := mapper.map(layer)) is not None}
    found += check_layers(graph, facts)
    found += check_net(graph, chains, facts)
    found += check_budget(chains, mapped, mapper, facts, target.name)
    if chains.broken or not layers or any(layer.name not in mapped for layer in layers):
        return Judgement(findings=tuple(found))
    plan = plan_json(chains.nets, mapped, mapper)
    if not has_errors(found):
        found += verify_plan(plan, graph, target)
    parts = [(net, [mapped[layer.name] for layer in net.layers if layer.multiplies]) for net in chains.nets]
    figures = metrics(parts, mapper, facts)
    return Judgement(
        findings=tuple(found),
        plan=plan,
        metrics=figures,
        limits=limits(figures, facts),
        columns=columns(parts),
        titles=TITLES,
        errors=errors(facts),
        brief=BRIEF,
        tables=[core_table(parts, mapper)],
    )


BACKEND = TargetBackend(name="loihi2", judge=judge)
"""The Python side of Loihi 2 and its boards."""

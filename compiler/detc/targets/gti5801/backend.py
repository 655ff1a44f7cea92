"""The 5801 as a target: judge a lowered graph, map it, and say what it costs."""

from __future__ import annotations

from detc.diagnostics import Finding, has_errors
from detc.ir.graph import Graph
from detc.semantics.program import Model, Target
from detc.targets.backend import Judgement, TargetBackend
from detc.targets.facts import Facts
from detc.targets.gti5801.chain import read_chain
from detc.targets.gti5801.checks import check_layer
from detc.targets.gti5801.facts import complete
from detc.targets.gti5801.mapping import map_layers
from detc.targets.gti5801.metrics import BRIEF, TITLES, columns, groups, limits, metrics
from detc.targets.gti5801.net_checks import check_net
from detc.targets.gti5801.plan import plan_json
from detc.targets.gti5801.plan_checks import check_plan
from detc.targets.gti5801.verify import verify_plan


def judge(graph: Graph, model: Model, target: Target, optimize: bool = False) -> Judgement:
    """Everything the 5801 says of a model: findings, the plan of its major layers, metrics, budget bars, table columns."""
    missing = complete(target)
    if missing:
        return Judgement(findings=missing)
    facts = Facts(target)
    chain = read_chain(graph, model.host, facts)
    found: list[Finding] = list(chain.findings)
    for layer in chain.layers:
        found += check_layer(layer, facts)
    found += check_net(chain, model, facts)
    if not chain.layers:
        return Judgement(findings=tuple(found))
    mapper, majors = map_layers(chain.layers, facts)
    found += check_plan(mapper, majors)
    plan = plan_json(chain, mapper, majors)
    if not has_errors(found):
        found += verify_plan(plan, graph, model.host, target)
    return Judgement(
        findings=tuple(found),
        plan=plan,
        metrics=metrics(chain, mapper, majors),
        limits=limits(chain, mapper, majors),
        columns=columns(mapper, majors),
        groups=groups(mapper, majors),
        memory="activation_memory",
        titles=TITLES,
        brief=BRIEF,
    )


BACKEND = TargetBackend(name="gti5801", judge=judge)

"""Loihi 2 as a target: judge a lowered graph, spread it over cores, and say what it costs."""

from __future__ import annotations

from detc.ir.graph import Graph
from detc.semantics.program import Model, Target
from detc.targets.backend import Judgement, TargetBackend
from detc.targets.facts import Facts
from detc.targets.loihi2.chain import read_chains
from detc.targets.loihi2.plan import plan_json
from detc.targets.loihi2.tiles import Mapper


def judge(graph: Graph, model: Model, target: Target, optimize: bool = False) -> Judgement:
    """Everything Loihi 2 says of a model: findings, the plan of its nets, metrics and budget bars."""
    facts = Facts(target)
    chains = read_chains(graph, model.host, facts)
    found = chains.findings
    mapper = Mapper(facts)
    layers = [layer for net in chains.nets for layer in net.layers if layer.multiplies]
    mapped = {layer.name: where for layer in layers if (where := mapper.map(layer)) is not None}
    whole = not chains.broken and all(layer.name in mapped for layer in layers)
    plan = plan_json(chains.nets, mapped, facts) if chains.nets and whole else None
    cores = sum(mapped[layer.name].cores for layer in layers if layer.name in mapped)
    chips = facts["board.chips"]
    return Judgement(
        findings=tuple(found),
        plan=plan,
        metrics={"cores": cores} if layers else {},
        limits=[
            {
                "name": "chips",
                "used": -(-cores // facts.number("chip.cores")),
                "limit": int(chips.value),
                "unit": "",
                "soft": False,
                "source": chips.source,
                "placeholder": chips.placeholder,
                "span": chips.span.as_json(),
            }
        ]
        if plan
        else [],
    )


BACKEND = TargetBackend(name="loihi2", judge=judge)

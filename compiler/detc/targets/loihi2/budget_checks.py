"""The rules of the budget: cores and chips, layers of which not one neuron fits, nets that share layers or could run alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from detc.diagnostics import Finding, Rule
from detc.targets.bounds import place, used_at
from detc.targets.facts import Facts
from detc.targets.loihi2.chain import Chains
from detc.targets.loihi2.layers import Layer, Net
from detc.targets.loihi2.metrics import lower_bound
from detc.targets.loihi2.tiles import Mapped, Mapper, Usage
from detc.targets.loihi2.what_if import changes

CHIPS = Rule(
    "LOI140",
    "error",
    """the net takes ~{actual} cores (at least {bound}), {chips} chip{s} of {cores}; `{name}` has {allowed}

    An estimate by the tables that Intel's compiler prints: a core holds one tile of a layer, and tiles halve a side of the map or
    the channels, or keep them. With tiles of any size no layer could do with fewer cores than the lower number. The place is that
    of the layer with most cores.""",
    help="{remedy}",
)
TOO_DENSE = Rule(
    "LOI141",
    "error",
    """not even one neuron of `{name}` fits on a core: {actual}

    A core keeps the weights of its own neurons only, but for all that they read, and an entry for each of these. Intel's compiler
    says of such a layer that partitioning could not converge.""",
    help="{remedy}",
)
REPEATED = Rule(
    "LOI142",
    "note",
    """{actual} layer{s} stand{v} in {nets} nets, and take{v} ~{cores} cores more that way

    Each net is a file of its own that runs beside the others, so what they share is there several times.""",
    help="with heads of their own from the picture on, nets can be trained apart; else one head for all classes takes less",
)

PART = Rule(
    "LOI135",
    "note",
    """{actual} of {allowed} outputs could run alone: {names}

    Several heads run side by side, each with layers of its own; what joins layers has no place on the chip.""",
    help="make it a model of its own (`output p = ..` with that tensor only); the rest stays with a host or another chip",
)


def check_budget(
    chains: Chains, mapped: dict[str, Mapped], mapper: Mapper, facts: Facts, board: str
) -> Iterator[Finding]:
    """Every finding on what the nets take of the board; `mapped` are the layers that fit on cores, by name."""
    nets = chains.nets
    layers = [layer for net in nets for layer in net.layers if layer.multiplies]
    for layer in dict.fromkeys(layers):
        if layer.name not in mapped:
            yield too_dense(layer, mapper, facts)
    known = [mapped[layer.name] for layer in layers if layer.name in mapped]
    if known:
        yield from check_chips(nets, known, mapper, facts, board)
        yield from check_repeated(nets, known)
    yield from check_parts(chains, mapped, facts)


def check_parts(chains: Chains, mapped: dict[str, Mapped], facts: Facts) -> Iterator[Finding]:
    """Where some outputs are no chains: which ones are, and what they take."""
    if not chains.broken or not chains.nets:
        return
    names = []
    for net in chains.nets:
        cores = sum(mapped[layer.name].cores for layer in net.layers if layer.name in mapped)
        names.append(f"`{net.layers[-1].nodes[-1].name}` ({net.depth} layers, ~{cores} cores)")
    end = chains.nets[0].layers[-1].node
    yield PART(
        end.span,
        related=(place(facts["limit.ops"]), *used_at(end)),
        actual=len(chains.nets),
        allowed=len(chains.nets) + len(chains.broken),
        names=", ".join(names),
    )


def check_chips(
    nets: Sequence[Net], mapped: list[Mapped], mapper: Mapper, facts: Facts, board: str
) -> Iterator[Finding]:
    fact, per_chip = facts["board.chips"], facts.number("chip.cores")
    cores = sum(part.cores for part in mapped)
    chips = -(-cores // per_chip)
    if chips <= fact.value:
        return
    largest = max(mapped, key=lambda part: part.cores)
    found = [f"{change.words} takes ~{change.cores} cores" for change in changes(nets, mapper, fact.value * per_chip)]
    found.append(f"a board of {chips} chips holds it as it is (`detc targets` lists boards)")
    yield CHIPS(
        largest.layer.node.span,
        label=f"{largest.cores} cores",
        related=(place(fact), *used_at(largest.layer.node)),
        actual=cores,
        chips=chips,
        s="s" if chips > 1 else "",
        cores=per_chip,
        name=board,
        allowed=f"{fact.value} chip{'s' if fact.value > 1 else ''}",
        bound=lower_bound(mapped, mapper),
        remedy=", or ".join(found),
    )


def too_dense(layer: Layer, mapper: Mapper, facts: Facts) -> Finding:
    """The finding of a layer whose smallest tile does not fit, with what that takes."""
    usage = mapper.usage(layer, (1,) * len(layer.shape))
    path, actual, most = _lacking(usage, mapper)
    fact = facts[path]
    inputs = layer.in_shape[0]
    fewer = inputs * most // max(1, actual)
    what = "inputs" if layer.kind == "dense" else "input channels"
    cheaper = "shrink the map before it (a stride of 2 quarters it), or use a convolution"
    return TOO_DENSE(
        layer.node.span,
        related=(place(fact), *used_at(layer.node)),
        name=layer.name,
        actual=f"its {inputs:,} {what} take {actual:,} bytes of {most:,}",
        allowed=f"{most:,} bytes",
        remedy=f"about {fewer:,} would fit: {cheaper if layer.kind == 'dense' else 'fewer channels, or a smaller kernel'}",
    )


def _lacking(usage: Usage, mapper: Mapper) -> tuple[str, int, int]:
    """(fact, needed, held) of what the core has too little of."""
    if usage.synapses > mapper.synapses:
        return "core.synapses", usage.synapses, mapper.synapses
    if usage.groups > mapper.groups:
        return "core.groups", usage.groups, mapper.groups
    return "core.memory", round(usage.memory), mapper.memory


def check_repeated(nets: Sequence[Net], mapped: Sequence[Mapped]) -> Iterator[Finding]:
    counts = Counter(part.layer.name for part in mapped)
    again = {part.layer.name: part for part in mapped if counts[part.layer.name] > 1}
    if again:
        first = next(iter(again.values())).layer.node
        many = len(again) > 1
        yield REPEATED(
            first.span,
            related=used_at(first),
            actual=len(again),
            s="s" if many else "",
            v="" if many else "s",
            nets=max(counts.values()),
            cores=sum(part.cores * (counts[name] - 1) for name, part in again.items()),
        )

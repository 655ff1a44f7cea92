"""The rules of whole nets: the clip that enters, widths, messages, the range of sums."""

from __future__ import annotations

from collections.abc import Iterator

from detc.diagnostics import Finding, Rule
from detc.ir.graph import Graph, Node
from detc.ir.ops.neuron import Encode
from detc.ir.ops.source import Input
from detc.targets.bounds import holds, place, used_at, words
from detc.targets.facts import Facts
from detc.targets.loihi2.chain import Chains
from detc.targets.loihi2.ranges import Scales, picture_range, risky_sums

STEPS = Rule(
    "LOI130",
    "warning",
    """the input `{name}` is {actual}; a sigma-delta net sends what has changed from step to step

    Its first output comes as many steps after a picture as it has layers, and events are few only where pictures follow each
    other.""",
    help="write `frames(steps = 32)` in place of `{source}`",
)
CLAMPED = Rule(
    "LOI131",
    "warning",
    """the encoded picture `{name}` reaches {actual}; Loihi 2 stores {allowed} and cuts off the rest

    Pictures are rounded as weights are, to even 64ths. Training in time cuts off the same values.""",
    help="give the input `mean` and `std`, as `mean = imagenet.mean, std = imagenet.std`: pictures then lie within 3 of 0",
)
MESSAGES = Rule(
    "LOI132",
    "warning",
    """a picture may change by {actual} at once; a message of `{name}` carries changes below {allowed}

    A message is the value times 64 * 2^spike_exp, and has a sign. netx on the CPU neither clips nor wraps what is larger, so that
    nobody sees it there; the chip has no more bits.""",
    help="scale the picture down: a larger `std`",
)
WIDTH = Rule(
    "LOI133",
    "warning",
    """`{name}` is {actual} wide; coordinates of events have 8 bits, and at {allowed} the compiler warns that some may be dropped

    Intel's tables show a net with a 448 wide input that runs all the same, with that warning.""",
    help="a picture at most {allowed} wide is free of doubt",
)
SUMS = Rule(
    "LOI134",
    "note",
    """the sums of {actual} wrap beyond ±{allowed}, and could reach {worst} with weights at the edge of their range

    What arrives at a neuron in one step is added up in an accumulator of few bits, and what does not fit goes round. Weights are
    unknown before training; messages that keep their own range keep the sum in range too as long as the |weights| of one output
    come to no more than the number given. Trained weights rarely keep that bound, and rarely need to: `detc export` bounds what
    the weights themselves can reach, and the integer simulator wraps as the chip does and counts.""",
    help="keep the |weights| of one output below {remedy}: weight decay and small gains do that",
)
ENERGY = Rule(
    "LOI136",
    "note",
    """energy and time a step are not estimated: no model of them is published for nets of this size

    What is measured are single nets on single chips, such as 16.34 mJ a frame for PilotNet, most of it idle power.""",
    help="measure on the board; events and operations are what to compare designs by",
)


def check_net(graph: Graph, chains: Chains, facts: Facts) -> Iterator[Finding]:
    """Every finding on the nets as a whole."""
    for node in graph.inputs:
        if isinstance(node.op, Input):
            yield from check_steps(node, node.op, facts)
            yield from check_picture(node, node.op, graph, facts)
    yield from check_widths(graph, facts)
    yield from check_sums(chains, facts)
    yield from check_energy(chains)


def check_steps(node: Node, op: Input, facts: Facts) -> Iterator[Finding]:
    """Clips of one picture tell nothing of change."""
    fact = facts["limit.steps"]
    steps = op.steps or 1
    if not holds(fact, steps):
        source = "camera(..)" if op.steps is None else f"steps = {op.steps}"
        actual = "a single picture" if op.steps is None else f"a clip of {steps} step"
        yield STEPS(node.at("steps"), related=(place(fact),), name=node.name, actual=actual, source=source)


def check_picture(node: Node, op: Input, graph: Graph, facts: Facts) -> Iterator[Finding]:
    """What pictures can be against what the chip stores, and how far one picture can differ from the one before."""
    known, scales = picture_range(op), Scales.of(facts)
    if not known:
        return
    low, high = min(low for low, _ in known), max(high for _, high in known)
    fact = facts["type.value.range"]
    if low < scales.low or high > scales.high:
        yield CLAMPED(
            node.span,
            related=(place(fact),),
            name=node.name,
            actual=f"{low:.3g} .. {high:.3g}",
            allowed=f"{words(scales.low)} .. {scales.high:.5g}",
        )
    change = max(min(high, scales.high) - max(low, scales.low) for low, high in known)
    fact = facts["type.message.bits"]
    for user in graph.users(node.name):
        if isinstance(user.op, Encode) and change + user.op.threshold >= scales.message:
            yield MESSAGES(
                user.span,
                related=(place(fact), *used_at(user)),
                name=user.name,
                actual=f"{change + user.op.threshold:.3g}",
                allowed=words(scales.message),
            )


def check_widths(graph: Graph, facts: Facts) -> Iterator[Finding]:
    """Maps wider than the x coordinate of an event counts."""
    fact = facts["limit.width"]
    for node in graph:
        if node.op.name in ("input", "conv") and node.type.is_map and not holds(fact, node.type.width):
            yield WIDTH(
                node.span,
                related=(place(fact), *used_at(node)),
                name=node.name,
                actual=node.type.width,
                allowed=fact.value,
            )


def check_sums(chains: Chains, facts: Facts) -> Iterator[Finding]:
    """One note for all layers whose weights could carry sums out of the accumulator."""
    fact, scales = facts["type.accumulator.bits"], Scales.of(facts)
    risky = {sums.layer.name: sums for net in chains.nets for sums in risky_sums(net, scales)}
    if risky:
        first = next(iter(risky.values()))
        least, worst = min(s.allowed for s in risky.values()), max(s.worst for s in risky.values())
        names = f"`{first.layer.name}`" + (f" and {len(risky) - 1} more layers" if len(risky) > 1 else "")
        remedy = f"{least:.3g}" + (f" ({first.allowed:.3g} in `{first.layer.name}`)" if first.allowed > least else "")
        yield SUMS(
            first.layer.node.span,
            related=(place(fact), *used_at(first.layer.node)),
            actual=names,
            allowed=words(scales.accumulator),
            worst=f"{worst:,.0f}",
            remedy=remedy,
        )


def check_energy(chains: Chains) -> Iterator[Finding]:
    """Told once, where all else of a net was judged."""
    if chains.nets and not chains.broken:
        yield ENERGY(chains.nets[0].input.span)

"""The rules of single layers: weights, what is fused behind them, neurons and their thresholds. One function a rule.

They look at every layer of the graph, part of a chain or not, so that all mistakes show at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detc.diagnostics import Finding, Related, Rule
from detc.ir.graph import Graph, Node
from detc.ir.ops.conv import Conv, Linear
from detc.ir.ops.neuron import Encode, SigmaDelta
from detc.semantics.program import Fact
from detc.targets.bounds import allowed, ends, holds, place, used_at, words
from detc.targets.facts import Facts
from detc.targets.loihi2.ranges import Scales

BIAS = Rule(
    "LOI110",
    "error",
    """`{name}` has a bias; in a `.net` file a bias is the negative mean of the neurons' norm

    Neurons add it to what they have summed up, in every step and with 1/64 as its unit.""",
    help="write `bias = false`{instead}",
)
BATCH_NORM = Rule(
    "LOI111",
    "error",
    """`{name}` has batch norm behind it; Loihi 2's neurons subtract a mean, and divide by nothing

    A variance folded into 8-bit weights would not be what was trained in time.""",
    help="write `weight_norm = true` in the layer and `norm = mean_only_batch` in its neurons",
)
FUSED = Rule(
    "LOI112",
    "error",
    """`{name}` has {actual} behind it; the activation of Loihi 2's layers is that of their neurons""",
    help="write `neuron.sigma_delta(activation = relu, ..)` in its place",
)
END = Rule(
    "LOI113",
    "error",
    """`{name}` pads its map by {actual} more below and to the right; a `.net` file has one padding for both sides""",
    help="write `pad = same`, or a number",
)
SCHEME = Rule(
    "LOI114",
    "error",
    """`{name}` stores its weights as {actual}; Loihi 2 has {allowed} weights""",
    help="write `weights = fixed({bits} bits, scale = {scale})`",
)
RANGE = Rule(
    "LOI115",
    "error",
    """`{name}` stores weights of {actual}; a synapse of Loihi 2 holds even integers of {allowed}

    Weights stand times 64 in the file. netx on the CPU multiplies with any integer, which hides the mistake; the chip clips or
    refuses them.""",
    help="write `weights = fixed({bits} bits, scale = {scale})`",
)
STEP = Rule(
    "LOI116",
    "error",
    """`{name}` stores weights in steps of {actual}/{scale}; a synapse of Loihi 2 has steps of {allowed}/{scale}""",
    help="write `weights = fixed({bits} bits, scale = {scale})`",
)
NARROW = Rule(
    "LOI117",
    "warning",
    """`{name}` asks for weights of {actual}; training in time and the file round to {allowed}

    They fit the chip, in finer steps than asked for, and no core is saved.""",
    help="write `weights = fixed({bits} bits, scale = {scale})`",
)
UNMARKED = Rule(
    "LOI118",
    "note",
    """`{name}` names no weights; on Loihi 2 they are {actual}""",
    help="write `weights = {actual}`",
)
ACTIVATION = Rule(
    "LOI120",
    "error",
    """the neurons `{name}` have activation {actual}; netx gives every neuron {allowed}, whatever the file says

    Values below 0 would pass in training and vanish on the chip.""",
    help="write `activation = relu`; the sums of the last layer belong to `neuron.sigma`, which passes both signs",
)
SHARED = Rule(
    "LOI121",
    "error",
    """the neurons `{name}` have a threshold for each channel; a `.net` file has one a layer""",
    help="drop `shared = false`",
)
NORM = Rule(
    "LOI122",
    "error",
    """the neurons `{name}` have norm {actual}; Loihi 2 knows {allowed}""",
    help="write `norm = mean_only_batch`",
)
THRESHOLD = Rule(
    "LOI123",
    "error",
    """the neurons `{name}` have threshold {actual}; the chip stores whole {scale}ths, so it becomes {stored}

    With a threshold of 0 every neuron sends in every step, and nothing is won by events.""",
    help="use at least {remedy}",
)
MUTE = Rule(
    "LOI128",
    "error",
    """the neurons `{name}` have threshold {actual}; a message carries changes below ±{most}

    A change of at least the threshold is sent as one message, times 64 * 2^spike_exp, which would leave its bits.""",
    help="write a threshold below {most}; 0.1 is what the nets of lava-dl have",
)
FLOORED = Rule(
    "LOI124",
    "note",
    """the threshold {actual}{more} is stored as {stored}/{scale} = {value}

    The file holds whole numbers. detc rounds down in training too, so that both use the same one.""",
    help="write {value} to see the threshold that is used",
)
LEARNED = Rule(
    "LOI125",
    "note",
    """the neurons `{name}` learn their threshold; the file gets it rounded down to a whole {scale}th

    What training reports is measured with the threshold that was learned, the artifact has the next lower one.""",
    help="leave `trainable` out where both have to agree to the bit",
)
MESSAGE = Rule(
    "LOI126",
    "error",
    """the neurons `{name}` send messages of {actual} bits; those of netx's sigma-delta neurons have {allowed}""",
    help="write `message = {allowed} bits`, or leave it out",
)
DELAY = Rule(
    "LOI127",
    "error",
    """the neurons `{name}` behind {kind} hold events back by {actual} steps; netx allows {allowed} there

    For convolutions it reads no delay at all: the net would run without it, and give other values.""",
    help="{remedy}",
)


def check_layers(graph: Graph, facts: Facts) -> Iterator[Finding]:
    """Every finding on a conv, dense layer or neuron of the lowered graph."""
    for node in graph:
        if isinstance(node.op, Conv | Linear):
            yield from check_weighted(node, node.op, graph, facts)
        elif isinstance(node.op, Encode | SigmaDelta):
            yield from check_neurons(node, node.op, graph, facts)
    yield from check_stored_thresholds(graph, facts)


def at(fact: Fact, node: Node) -> tuple[Related, ...]:
    return (place(fact), *used_at(node))


def check_weighted(node: Node, op: Conv | Linear, graph: Graph, facts: Facts) -> Iterator[Finding]:
    """What stands in a layer besides its weights: a bias, a folded batch norm, a fused activation, uneven padding."""
    kind = f"op.{op.name}"
    if isinstance(op, Conv) and op.batch_norm:
        fact = facts[f"{kind}.batch_norm"]
        if not holds(fact, True):
            yield BATCH_NORM(node.span, related=at(fact, node), name=node.name)
    elif not holds(facts[f"{kind}.bias"], op.bias):
        normed = any(isinstance(user.op, SigmaDelta) for user in graph.users(node.name))
        instead = ", and `norm = mean_only_batch` in the neurons behind it" if normed else ""
        yield BIAS(node.at("bias"), related=at(facts[f"{kind}.bias"], node), name=node.name, instead=instead)
    fact, activation = facts[f"{kind}.activation"], op.activation[0] if op.activation else "none"
    if not holds(fact, activation):
        yield FUSED(node.span, related=at(fact, node), name=node.name, actual=activation)
    if isinstance(op, Conv) and not holds(facts[f"{kind}.end"], op.end):
        yield END(node.at("pad"), related=at(facts[f"{kind}.end"], node), name=node.name, actual=words(max(op.end)))
    yield from check_weights(node, op, facts)


def check_weights(node: Node, op: Conv | Linear, facts: Facts) -> Iterator[Finding]:
    """`fixed(bits, scale)` holds 2^bits values in steps of 2 / scale around 0, as lava-dl's quantize_8bit does."""
    scheme, bits, scale = (facts[f"type.weight.{name}"] for name in ("scheme", "bits", "scale"))
    known: dict[str, Any] = {"name": node.name, "bits": words(bits.value), "scale": words(scale.value)}
    own = f"fixed({known['bits']} bits, scale = {known['scale']})"
    span = node.at("weights")
    if op.weights is None:
        yield UNMARKED(span, related=at(bits, node), name=node.name, actual=own)
        return
    if not holds(scheme, op.weights[0]):
        yield SCHEME(span, related=at(scheme, node), actual=op.weights[0], allowed=allowed(scheme), **known)
        return
    step_fact, range_fact = facts["type.weight.step"], facts["type.weight.range"]
    given_bits, given_scale = op.weights[1:3]
    step = step_fact.value * scale.value / given_scale
    low, high = -(2 ** (given_bits - 1)) * step, (2 ** (given_bits - 1) - 1) * step
    least, most = ends(range_fact)
    if low < least or high > most:
        actual = f"{words(low)} .. {words(high)}"
        yield RANGE(span, related=at(range_fact, node), actual=actual, allowed=allowed(range_fact), **known)
    elif step % step_fact.value:
        yield STEP(span, related=at(step_fact, node), actual=words(step), allowed=words(step_fact.value), **known)
    elif not holds(bits, given_bits) or not holds(scale, given_scale):
        actual = f"{words(given_bits)} bits at scale {words(given_scale)}"
        said = f"{known['bits']} bits at scale {known['scale']}"
        yield NARROW(span, related=at(bits, node), actual=actual, allowed=said, **known)


def check_neurons(node: Node, op: Encode | SigmaDelta, graph: Graph, facts: Facts) -> Iterator[Finding]:
    fact = facts["type.message.bits"]
    if not holds(fact, op.message):
        yield MESSAGE(node.at("message"), related=at(fact, node), name=node.name, actual=op.message, allowed=fact.value)
    fact, scale = facts["type.threshold.least"], facts["type.threshold.scale"].value
    stored = int(op.threshold * scale)
    if not holds(fact, stored):
        yield THRESHOLD(
            node.at("threshold"),
            related=at(fact, node),
            name=node.name,
            actual=words(op.threshold),
            scale=words(scale),
            stored=stored,
            remedy=words(fact.value / scale),
        )
    most = Scales.of(facts).message
    if op.threshold >= most:
        related = at(facts["type.message.bits"], node)
        yield MUTE(node.at("threshold"), related=related, name=node.name, actual=words(op.threshold), most=words(most))
    if op.trainable:
        related = at(facts["type.threshold.scale"], node)
        yield LEARNED(node.at("trainable"), related=related, name=node.name, scale=words(scale))
    if isinstance(op, SigmaDelta):
        yield from check_sigma_delta(node, op, graph, facts)


def check_sigma_delta(node: Node, op: SigmaDelta, graph: Graph, facts: Facts) -> Iterator[Finding]:
    for argument, rule in (("activation", ACTIVATION), ("norm", NORM)):
        fact, actual = facts[f"op.sigma_delta.{argument}"], getattr(op, argument) or "none"
        if not holds(fact, actual):
            yield rule(node.at(argument), related=at(fact, node), name=node.name, actual=actual, allowed=allowed(fact))
    fact = facts["op.sigma_delta.shared"]
    if not holds(fact, op.shared):
        yield SHARED(node.at("shared"), related=at(fact, node), name=node.name)
    layer = graph[node.inputs[0]].op
    if op.delay and isinstance(layer, Conv | Linear) and not holds(facts[f"op.{layer.name}.delay"], op.delay):
        fact = facts[f"op.{layer.name}.delay"]
        most = ends(fact)[1]
        yield DELAY(
            node.at("delay"),
            related=at(fact, node),
            name=node.name,
            kind={"conv": "a convolution", "linear": "a dense layer"}[layer.name],
            actual=op.delay,
            allowed=f"at most {most}" if most else "none",
            remedy=f"write `delay = {most}`" if most else "leave `delay` out; only dense layers have delays",
        )


def check_stored_thresholds(graph: Graph, facts: Facts) -> Iterator[Finding]:
    """One note for each threshold that the chip cannot count, at the first neurons that have it."""
    fact = facts["type.threshold.scale"]
    having: dict[float, list[Node]] = {}
    for node in graph:
        if isinstance(node.op, Encode | SigmaDelta):
            having.setdefault(node.op.threshold, []).append(node)
    for threshold, nodes in having.items():
        stored = int(threshold * fact.value)
        if stored != threshold * fact.value and holds(facts["type.threshold.least"], stored):
            yield FLOORED(
                nodes[0].at("threshold"),
                related=at(fact, nodes[0]),
                actual=words(threshold),
                more=f" of {len(nodes)} layers" if len(nodes) > 1 else "",
                stored=stored,
                scale=words(fact.value),
                value=words(stored / fact.value),
            )

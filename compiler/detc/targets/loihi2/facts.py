"""What the backend reads from target.det, and one finding for each value that a target lacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detc.diagnostics import Finding, Rule
from detc.semantics.program import Target
from detc.targets.bounds import choices
from detc.targets.facts import Facts

INCOMPLETE = Rule(
    "LOI190",
    "error",
    """target `{name}` does not say `{path}` {kind}, and without it no Loihi 2 net can be judged

    The Python side of this target holds no number of its own. A target that extends `loihi2` may change a value, but has to leave
    one of the same kind in its place.""",
    help="take the value from `loihi2`, or measure it",
)

MOST = 2**40
MOST_BITS = 64
"""Larger numbers than these no chip has; arithmetic with them would not end."""

_POSITIVE = (
    "board.chips",
    "chip.cores",
    "core.neurons",
    "core.groups",
    "core.synapses",
    "core.memory",
    "core.word",
    "type.weight.bits",
    "type.weight.scale",
    "type.weight.step",
    "type.threshold.scale",
    "type.accumulator.bits",
    "type.message.bits",
    "type.message.scale",
    "estimate.dense.synapse_bits",
)
_NUMBERS = (
    *_POSITIVE,
    "core.neuron_memory",
    "type.threshold.least",
    "type.message.spike_exp",
    *(
        f"estimate.{kind}.{name}"
        for kind in ("conv", "dense")
        for name in ("axon_in", "axon_map", "list_words", "groups", "axon_memory")
    ),
    "estimate.readout.axon_map",
    "estimate.readout.groups",
    "estimate.cores.margin",
    "estimate.events.activity",
    "estimate.latency.steps",
    "limit.inputs",
    "limit.width",
    "limit.steps",
    "op.conv.end",
)
_LISTS = (
    "limit.ops",
    "type.weight.scheme",
    "type.weight.range",
    "type.value.range",
    "op.conv.activation",
    "op.conv.delay",
    "op.conv.bias",
    "op.conv.batch_norm",
    "op.linear.activation",
    "op.linear.delay",
    "op.linear.bias",
    "op.sigma_delta.activation",
    "op.sigma_delta.norm",
    "op.sigma_delta.shared",
)


def complete(target: Target) -> tuple[Finding, ...]:
    """One finding for each value that the backend needs and the target does not give."""
    return tuple(_lacking(target))


def _lacking(target: Target) -> Iterator[Finding]:
    facts = Facts(target)
    for path in (*_NUMBERS, *_LISTS):
        most = MOST_BITS if path.endswith(("bits", "exp")) else MOST
        fact = facts.find(path)
        value: Any = fact.value if fact else None
        if path in _LISTS:
            kind, good = (
                "as a list or range",
                fact is not None and not isinstance(value, str) and len(choices(fact)) > 0,
            )
        else:
            kind = "as a number"
            good = (
                isinstance(value, int | float) and not isinstance(value, bool) and (path in _POSITIVE) <= value <= most
            )
        if not good:
            yield INCOMPLETE(fact.span if fact else target.span, name=target.name, path=path, kind=kind)

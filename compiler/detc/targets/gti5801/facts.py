"""What the backend reads from target.det: every number it judges by, named by its place there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detc.diagnostics import Finding, Rule
from detc.semantics.program import Target
from detc.targets.bounds import choices, words
from detc.targets.facts import Facts

INCOMPLETE = Rule(
    "GTI190",
    "error",
    """target `{name}` does not say `{path}` {kind}, and without it no 5801 net can be judged

    The Python side of this target holds no number of its own. A target that extends `gti5801` may change a value, but has
    to leave one of the same kind in its place.""",
    help="take the value from `gti5801`, or measure it",
)

CONTRADICTION = Rule(
    "GTI191",
    "error",
    """target `{name}` clips at {actual}, which {allowed} bits cannot count to

    An activation of n bits has 2^n values from 0 on; 10-bit outputs count in steps of 1 / 32.""",
    help="correct `cap` or `bits` of that type",
)

_NUMBERS = (
    "type.weight.unmarked",
    "type.bias.bits",
    "type.activation.cap",
    "type.activation.bits",
    "type.wide_activation.cap",
    "type.wide_activation.bits",
    "memory.activations.size",
    "memory.activations.unit",
    "memory.activations.block",
    "memory.activations.tile",
    "memory.activations.tile_bytes",
    "memory.placement.exact_up_to",
    "memory.weights.size",
    "limit.channels",
    "limit.channel_multiple",
    "limit.output_multiple",
    "limit.majors",
    "limit.sublayers",
    "limit.head_channels",
    "limit.vendor_head_channels",
    "limit.inputs",
    "limit.outputs",
    "limit.readers",
    "limit.pools_per_layer",
    "limit.pool_kinds",
    "op.residual.convs",
    "op.residual.parities",
    "op.pointwise.channel_multiple",
    "op.depthwise.sublayers",
    "type.wide_activation.sublayers",
    "file.chip_dat.header",
    "file.chip_dat.line",
    "file.chip_dat.reserve",
    "file.chip_dat.minimum",
    "file.chip_dat.kernels_1bit",
    "file.chip_dat.kernels_3bit",
    "file.chip_dat.kernels_8bit",
    "file.chip_dat.kernels_pointwise",
    "file.chip_dat.kernels_depthwise",
)
_DIVISORS = {
    "memory.activations.unit",
    "memory.activations.block",
    "memory.activations.tile",
    "limit.channel_multiple",
    "limit.output_multiple",
    "op.pointwise.channel_multiple",
    *(path for path in _NUMBERS if ".kernels_" in path),
}
_LISTS = (
    "limit.ops",
    "limit.activations",
    "op.residual.kinds",
    "op.residual.before_pool",
    "type.weight.bits",
    "type.weight.scheme",
    "type.weight.shift",
    "limit.size",
    "limit.output_size",
    "limit.input_channels",
)


def complete(target: Target) -> tuple[Finding, ...]:
    """One finding for each value that the backend needs and the target does not give."""
    facts = Facts(target)
    found = []
    for path in (*_NUMBERS, *_LISTS):
        fact = facts.find(path)
        value: Any = fact.value if fact else None
        if path in _LISTS:
            good = fact is not None and not isinstance(value, str) and len(choices(fact)) > 0
            kind = "as a list or range"
        else:
            good = isinstance(value, int | float) and not isinstance(value, bool) and value >= (path in _DIVISORS)
            kind = "as a number"
        if not good:
            found.append(INCOMPLETE(fact.span if fact else target.span, name=target.name, path=path, kind=kind))
    return tuple(found) or tuple(_contradictions(facts))


def _contradictions(facts: Facts) -> Iterator[Finding]:
    narrow = facts.number("type.activation.bits")
    for kind in ("type.activation", "type.wide_activation"):
        cap, bits = facts[f"{kind}.cap"], facts.number(f"{kind}.bits")
        step = 2.0 ** (narrow - bits)  # both kinds reach from 0 to the same order of magnitude
        if cap.value > (2**bits - 1) * step:
            yield CONTRADICTION(cap.span, name=facts.target.name, actual=words(cap.value), allowed=bits)

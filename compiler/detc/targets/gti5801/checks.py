"""The rules of single layers: kernel, stride, padding, coefficient width, cap, channels, pool. One function a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from detc.diagnostics import Finding, Related, Rule
from detc.semantics.program import Fact
from detc.targets.bounds import allowed, choices, holds, place, used_at, words
from detc.targets.facts import Facts
from detc.targets.gti5801.chain import Sublayer

KERNEL = Rule(
    "GTI101",
    "error",
    """`{name}` has a {actual} kernel; the 5801 multiplies only {allowed} here

    The engines of the chip work on 3x3 windows. 1x1 kernels exist in depth mode, with 8-bit weights.""",
    help="use {allowed}",
)
STRIDE = Rule(
    "GTI102",
    "error",
    """`{name}` moves by {actual}; the 5801 convolves every pixel, so its stride is {allowed}

    A conv of stride 2 equals the same conv of stride 1 with every second row and column kept: `conv(c) |> relu |>
    samplepool(2x2)`. It takes four times the multiplications, and the chip may then hold no max-pool.""",
    help="keep stride 1 and put `|> samplepool(2x2)` or `|> maxpool(2x2)` behind the ReLU",
)
PADDING = Rule(
    "GTI103",
    "error",
    """`{name}` pads by {actual}; the 5801 pads by {allowed} here, so that maps keep their size""",
    help="write `pad = same`",
)
DILATION = Rule(
    "GTI104",
    "error",
    """`{name}` has a dilation of {actual}; the 5801 knows only {allowed}""",
    help="two stacked 3x3 convolutions see a 5x5 window, three see 7x7",
)
GROUPS = Rule(
    "GTI105",
    "error",
    """`{name}` has {actual} groups; the 5801 computes dense (groups = {allowed}) or depthwise convolutions

    Depthwise means one group a channel and as many output as input channels.""",
    help="drop `groups`, or use `depthwise(3x3)` with 8-bit weights",
)
BIAS = Rule(
    "GTI106",
    "error",
    """`{name}` has no bias; the 5801 adds one in every layer""",
    help="drop `bias = false`, or put `|> bn` behind it, which folds into a bias",
)
WEIGHT_NORM = Rule(
    "GTI118",
    "error",
    """`{name}` has weight norm; the 5801's masks are fitted to the weights themselves""",
    help="drop `weight_norm = true`; batch norm behind the conv folds into it",
)
BITS = Rule(
    "GTI120",
    "error",
    """`{name}` stores its weights in {actual} bits; the 5801 has {allowed}

    1 bit is a sign times the kernel's mean, 3 bits are 0, 1, 2 or 4 quarters of it, 8 bits are integers.""",
    help="write `weights = masked(3 bits)`, or 8 bits where accuracy matters more than room",
)
SCHEME = Rule(
    "GTI121",
    "error",
    """`{name}` stores its weights as {actual}; the 5801 knows {allowed} weights""",
    help="write `weights = masked(3 bits)`",
)
DEPTH_BITS = Rule(
    "GTI122",
    "error",
    """`{name}` is a {kind} convolution with {actual}-bit weights; the 5801 computes those in {allowed} bits only""",
    help="write `weights = masked({allowed} bits)`",
)
UNMARKED = Rule(
    "GTI123",
    "note",
    """`{name}` names no coefficient width; it gets {actual} bits

    {actual}-bit weights take twice the room of 3-bit and four times that of 1-bit ones.""",
    help="write `weights = masked(3 bits)` or `masked(8 bits)`",
)
SHIFT = Rule(
    "GTI124",
    "error",
    """`{name}` asks for a shift of {actual}; the 5801's toolkit allows {allowed}

    The shift field holds more, but sums overflow unnoticed above.""",
    help="leave the shift to training, which takes it from the largest weight",
)
BIAS_RANGE = Rule(
    "GTI127",
    "error",
    """`{name}` starts with a bias of {actual}; a bias of the 5801 has {allowed} bits, at the shift of the weights

    Even at the smallest shift the integer does not fit.""",
    help="begin nearer to 0",
)
UNCAPPED = Rule(
    "GTI125",
    "note",
    """`{name}` ends in a ReLU without a cap; the chip clips it at {allowed}

    A calibration stage measures where to clip; until then the float model may use larger values than the chip has.""",
    help="write `relu(cap = {allowed})` to train with the same range",
)
CAP = Rule(
    "GTI126",
    "error",
    """`{name}` clips at {actual}; the 5801 clips its 5-bit values at {allowed}""",
    help="write `relu(cap = {remedy})`; the calibration stage scales each layer to its own range",
)
CHANNELS = Rule(
    "GTI134",
    "error",
    """`{name}` has {actual} channels; a layer of the 5801 has {allowed}""",
    help="narrow it: `--set width=` does so for the whole net where the spec has that param",
)
POOL = Rule(
    "GTI114",
    "error",
    """the pool `{name}` has {what} {actual}; a pool of the 5801 has {allowed}""",
    help="write `maxpool(2x2)`",
)


def at(fact: Fact, layer: Sublayer) -> tuple[Related, ...]:
    return (place(fact), *used_at(layer.conv))


def section(layer: Sublayer) -> str:
    return {"conv3x3": "conv"}.get(layer.kind, layer.kind)


def judge_op(layer: Sublayer, facts: Facts, name: str, actual: object, rule: Rule, label: str) -> Iterator[Finding]:
    fact = facts.find(f"op.{section(layer)}.{name}")
    if fact and not holds(fact, actual):
        said = words(actual)
        yield rule(
            layer.conv.at(name),
            label=f"{said} {label}",
            related=at(fact, layer),
            name=layer.name,
            actual=said,
            allowed=allowed(fact),
        )


def check_kernel(layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    for finding in judge_op(layer, facts, "k", layer.op.k, KERNEL, "here"):
        window = max(layer.op.k)
        if layer.kind == "conv3x3" and window % 2 and window > 3:
            count = (window - 1) // 2
            share = count * 9 / (layer.op.k[0] * layer.op.k[1])
            help = f"{count} stacked 3x3 convs see the same {words(layer.op.k)} window with {share:.0%} of its weights"
            yield KERNEL(
                finding.span,
                label=finding.label,
                related=finding.related,
                help=help,
                name=layer.name,
                actual=finding.actual,
                allowed=finding.allowed,
            )
        else:
            yield finding


def check_stride(layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    return judge_op(layer, facts, "s", layer.op.stride, STRIDE, "stride")


def check_padding(layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    """Not of a kernel that is wrong itself and padded to fit: one mistake, one finding."""
    kernel = facts.find(f"op.{section(layer)}.k")
    if kernel and not holds(kernel, layer.op.k) and layer.op.pad == tuple(side // 2 for side in layer.op.k):
        return iter(())
    even = layer.op.end == (0, 0)
    return judge_op(layer, facts, "pad", layer.op.pad if even else layer.op.sides, PADDING, "padding")


def check_dilation(layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    return judge_op(layer, facts, "dilation", layer.op.dilation, DILATION, "dilation")


def check_groups(layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    return judge_op(layer, facts, "groups", layer.op.groups, GROUPS, "groups")


def check_bias(layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    return judge_op(layer, facts, "bias", layer.op.bias, BIAS, "bias")


def check_weight_norm(layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    return judge_op(layer, facts, "weight_norm", layer.op.weight_norm, WEIGHT_NORM, "weight norm")


def check_scheme(layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    fact = facts["type.weight.scheme"]
    if layer.op.weights is None:
        unmarked = facts["type.weight.unmarked"]
        related = (Related(unmarked.span, unmarked.source), *used_at(layer.conv))
        yield UNMARKED(layer.conv.at("weights"), related=related, name=layer.name, actual=layer.bits)
    elif not holds(fact, layer.op.weights[0]):
        actual = layer.op.weights[0]
        yield SCHEME(
            layer.conv.at("weights"), related=at(fact, layer), name=layer.name, actual=actual, allowed=allowed(fact)
        )


def check_bits(layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    fact = facts["type.weight.bits"]
    if not holds(fact, layer.bits):
        yield BITS(
            layer.conv.at("weights"), related=at(fact, layer), name=layer.name, actual=layer.bits, allowed=allowed(fact)
        )
        return
    depth = facts.find(f"op.{section(layer)}.bits")
    if depth and not holds(depth, layer.bits):
        yield DEPTH_BITS(
            layer.conv.at("weights"),
            related=at(depth, layer),
            name=layer.name,
            kind=layer.kind,
            actual=layer.bits,
            allowed=allowed(depth),
        )


def check_shift(layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    """A shift that the spec fixes, as in `masked(8 bits, shift = 7)`."""
    fact = facts["type.weight.shift"]
    for entry in layer.op.weights or ():
        if isinstance(entry, tuple) and entry[:1] == ("shift",) and not holds(fact, entry[1]):
            yield SHIFT(
                layer.conv.at("weights"),
                related=at(fact, layer),
                name=layer.name,
                actual=entry[1],
                allowed=allowed(fact),
            )


def check_bias_range(layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    """A first bias that no shift can store, as in `init = bias(-4.6)`."""
    fact, init = facts["type.bias.bits"], layer.op.init
    value = init[-1] if init and init[0] in ("bias", "normal") and len(init) > 1 else None
    least = min(choices(facts["type.weight.shift"]))
    if isinstance(value, int | float) and abs(value) * 2**least >= 2 ** (int(fact.value) - 1):
        yield BIAS_RANGE(
            layer.conv.at("init"), related=at(fact, layer), name=layer.name, actual=words(value), allowed=fact.value
        )


def check_cap(layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    if not layer.relu:
        return
    fact = facts.find("op.relu.cap")
    cap = facts.number("type.activation.cap")
    if layer.cap is None:
        yield UNCAPPED(layer.conv.span, related=at(facts["type.activation.cap"], layer), name=layer.name, allowed=cap)
    elif fact and not holds(fact, layer.cap):
        yield CAP(
            layer.conv.span,
            related=at(fact, layer),
            name=layer.name,
            actual=words(layer.cap),
            allowed=allowed(fact),
            remedy=cap,
        )


def check_channels(layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    fact = facts["limit.channels"]
    if not holds(fact, layer.out_channels):
        yield CHANNELS(
            layer.conv.at("channels"),
            related=at(fact, layer),
            name=layer.name,
            actual=layer.out_channels,
            allowed=allowed(fact),
        )


def check_pool(layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    pool = layer.pool
    if pool is None:
        return
    for name, attribute, what in (
        ("k", "k", "a window of"),
        ("s", "stride", "a stride of"),
        ("pad", "pad", "a padding of"),
    ):
        fact = facts.find(f"op.{pool.op.name}.{name}")
        actual = getattr(pool.op, attribute, None)
        if fact and actual is not None and not holds(fact, actual):
            yield POOL(
                pool.span,
                related=(place(fact), *used_at(pool)),
                name=pool.name,
                what=what,
                actual=words(actual),
                allowed=allowed(fact),
            )


LAYER_RULES: tuple[Callable[[Sublayer, Facts], Iterator[Finding]], ...] = (
    check_kernel,
    check_stride,
    check_padding,
    check_dilation,
    check_groups,
    check_bias,
    check_weight_norm,
    check_scheme,
    check_bits,
    check_shift,
    check_bias_range,
    check_cap,
    check_channels,
    check_pool,
)


def check_layer(layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    """Every finding on one sublayer."""
    for rule in LAYER_RULES:
        yield from rule(layer, facts)

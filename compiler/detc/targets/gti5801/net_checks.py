"""The rules of the whole net: the picture that enters, map sizes, pool kinds, the last layer, the head. One function a rule."""

from __future__ import annotations

from collections.abc import Iterator

from detc.diagnostics import Finding, Related, Rule
from detc.semantics.program import Model
from detc.targets.bounds import allowed, holds, place, used_at
from detc.targets.facts import Facts
from detc.targets.gti5801.chain import Chain, Sublayer
from detc.targets.gti5801.checks import at

INPUT = Rule(
    "GTI130",
    "error",
    """the input is {actual}; the 5801 reads square u8 pictures of {allowed} pixels

    Sizes are stored in a byte and maps in tiles of 14x14, so that most other sizes are silently computed as another size.""",
    help="use {remedy}x{remedy}; the host resizes each picture anyway",
)
SIZE = Rule(
    "GTI131",
    "error",
    """`{name}` works on a {actual} map; the 5801 computes maps of {allowed} pixels

    7x7 exists only as the pooled output of the last layer.""",
    help="move or remove a pool so that every conv sees one of these sizes",
)
OUTPUT_SIZE = Rule(
    "GTI132",
    "error",
    """the last layer `{name}` gives a {actual} map; the 5801 gives out {allowed}, 7 only behind a pool""",
    help="end at 14x14, or pool a 14x14 map once more",
)
INPUT_CHANNELS = Rule(
    "GTI133",
    "error",
    """the input has {actual} channels; the first layer of the 5801 reads {allowed}""",
    help="colour pictures have 3; stacked pictures can be padded to {remedy} planes by the host",
)
POINTWISE = Rule(
    "GTI135",
    "error",
    """`{name}` is a 1x1 convolution on {actual} input channels; the 5801 reads them in groups of {allowed}

    Behind another layer the compiler pads to such a number; a picture cannot be padded. With another number the vendor's
    converter reads out of step and writes garbage for the whole file.""",
    help="start the net with a 3x3 convolution",
)
POOL_MIX = Rule(
    "GTI115",
    "error",
    """`{name}` is a {actual}, but `{other}` is a {allowed}; one switch of the 5801 makes all pools of a net of one kind""",
    help="use one kind of pool throughout",
)
HEAD = Rule(
    "GTI136",
    "error",
    """{actual} head channels{why}; the 5801 gives out {allowed}

    A grid head needs boxes * 5 + classes channels. The often-quoted 256 classes leave no room for the boxes.""",
    help="use fewer classes: at most {remedy}",
)
VENDOR_HEAD = Rule(
    "GTI137",
    "warning",
    """{actual} head channels{why} fit the 5801, but the vendor's own tools stop at {allowed}

    They pad the last layer to the smallest power of two strictly above it, and fail where that is 512. Artifacts written here
    are fine.""",
    help="stay at {remedy} if the vendor's training kit must read the net",
)


def check_net(chain: Chain, model: Model, facts: Facts) -> Iterator[Finding]:
    """Every finding on the net as a whole."""
    yield from check_input(chain, facts)
    seen: set[int] = set()
    for layer in chain.layers:
        if layer.size not in seen:
            seen.add(layer.size)
            yield from check_size(chain, layer, facts)
    yield from check_output_size(chain, facts)
    yield from check_pool_kinds(chain, facts)
    yield from check_head(chain, model, facts)


def check_input(chain: Chain, facts: Facts) -> Iterator[Finding]:
    if chain.input is None:
        return
    type, fact = chain.input.type, facts["limit.size"]
    if not type.is_map or type.height != type.width or not holds(fact, type.height) or type.dtype != "u8":
        sizes = [int(size) for size in fact.value]
        remedy = min(sizes, key=lambda size: abs(size - type.height)) if type.is_map else max(sizes)
        yield INPUT(chain.input.span, related=(place(fact),), actual=type, allowed=allowed(fact), remedy=remedy)
    if type.is_map:
        fact = facts["limit.input_channels"]
        if not holds(fact, type.channels):
            more = [int(c) for c in fact.value if c > type.channels]
            yield INPUT_CHANNELS(
                chain.input.span,
                related=(place(fact),),
                actual=type.channels,
                allowed=allowed(fact),
                remedy=min(more, default=max(fact.value)),
            )
        first = chain.layers[0] if chain.layers else None
        multiple = facts["op.pointwise.channel_multiple"]
        if first and first.kind == "pointwise" and type.channels % int(multiple.value):
            yield POINTWISE(
                first.conv.span,
                related=at(multiple, first),
                name=first.name,
                actual=type.channels,
                allowed=multiple.value,
            )


def check_size(chain: Chain, layer: Sublayer, facts: Facts) -> Iterator[Finding]:
    fact = facts["limit.size"]
    if chain.input and chain.input.type.is_map and not holds(fact, chain.input.type.height):
        return  # the input is at fault, and is named
    if not holds(fact, layer.size):
        size = f"{layer.size}x{layer.size}"
        yield SIZE(layer.conv.span, related=at(fact, layer), name=layer.name, actual=size, allowed=allowed(fact))


def check_output_size(chain: Chain, facts: Facts) -> Iterator[Finding]:
    if not chain.layers or chain.output is None or not chain.output.type.is_map:
        return
    fact, type = facts["limit.output_size"], chain.output.type
    if holds(facts["limit.size"], chain.layers[-1].size) and not holds(fact, type.height):
        yield OUTPUT_SIZE(
            chain.output.span,
            related=(place(fact), *used_at(chain.output)),
            name=chain.output.name,
            actual=f"{type.height}x{type.width}",
            allowed=allowed(fact),
        )


def check_pool_kinds(chain: Chain, facts: Facts) -> Iterator[Finding]:
    pools = [layer.pool for layer in chain.layers if layer.pool is not None]
    other = next((p for p in pools if p.op.name != pools[0].op.name), None)
    fact = facts["limit.pool_kinds"]
    kinds = {pool.op.name for pool in pools}
    if pools and other is None and not holds(fact, len(kinds)):
        other = pools[-1]
    if other is not None and not holds(fact, len(kinds)):
        yield POOL_MIX(
            other.span,
            related=(place(fact), *([Related(pools[0].span, "the first pool")] if pools[0].span else [])),
            name=other.name,
            actual=other.op.name,
            other=pools[0].name,
            allowed=pools[0].op.name,
        )


def check_head(chain: Chain, model: Model, facts: Facts) -> Iterator[Finding]:
    """Head channels against the chip's limit, and against what the vendor's tools can pad."""
    if not chain.layers or chain.output is None:
        return
    channels = chain.layers[-1].out_channels
    for head in model.heads:
        boxes, classes = head.options.get("boxes"), head.options.get("classes")
        counted = isinstance(boxes, int) and isinstance(classes, int)
        why = f" ({boxes} boxes * 5 + {classes} classes)" if counted else ""
        beside = 5 * boxes if isinstance(boxes, int) and counted else 0
        span = head.option_spans.get("classes") or head.span or chain.output.span
        for rule, name in ((HEAD, "limit.head_channels"), (VENDOR_HEAD, "limit.vendor_head_channels")):
            fact = facts[name]
            if not holds(fact, channels):
                room = int(fact.value) - beside
                fewer = f"use fewer boxes: {boxes} of them leave no room for classes" if room < 1 else None
                yield rule(
                    span,
                    related=(place(fact),),
                    help=fewer if counted else f"use at most {room} output channels",
                    why=why,
                    actual=channels,
                    allowed=allowed(fact),
                    remedy=f"{room} with {boxes} boxes",
                )
                break

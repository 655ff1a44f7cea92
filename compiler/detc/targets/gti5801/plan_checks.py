"""The rules of the mapping: how many major layers, what each may hold, what fits into which memory."""

from __future__ import annotations

from collections.abc import Iterator

from detc.diagnostics import Finding, Related, Rule
from detc.targets.bounds import allowed, holds, place, used_at
from detc.targets.facts import Facts
from detc.targets.gti5801.chain import Sublayer
from detc.targets.gti5801.mapping import Breach, Major, Mapper
from detc.targets.gti5801.memory import collides, map_bytes
from detc.targets.gti5801.memory import place as place_maps

MAJORS = Rule(
    "GTI140",
    "error",
    """the net needs {actual} major layers; the 5801 holds {allowed}

    A major layer is a run of convolutions on one map size with one coefficient width; a pool ends it, and so does its longest
    length.""",
    help="{remedy}",
)
MEMORY = Rule(
    "GTI142",
    "error",
    """`{name}` needs {actual} for its input and output; the 5801's activation memory holds {allowed}

    Each sublayer reads one map and writes one map, and both lie in a ring of 3 MiB. A map takes as many bytes as
    channels * (size / 14)^2 * 128; what a pool discards is never stored.""",
    help="{remedy}",
)
PLACEMENT = Rule(
    "GTI143",
    "warning",
    """`{name}` fits into activation memory by size, but its output lands on its input where the vendor's rule places them

    Read: block {read}, {read_units} units; written: block {written}, {written_units} units. The placement rule is known exactly
    only for maps of up to {allowed}; larger ones may be placed otherwise, or refused by the vendor's converter.""",
    help="make the map smaller: fewer channels here, or a pool before it",
)
WEIGHTS = Rule(
    "GTI144",
    "warning",
    """the weights take {actual}; the 5801 is believed to hold {allowed}

    A soft limit: nothing in the vendor's programs rejects more, but a warning text in its library names this size, and no
    document gives the real one.""",
    help="use fewer bits or narrower layers; the largest is `{largest}` with {bytes}",
)
PARITY = Rule(
    "GTI145",
    "error",
    """the shortcut into `{name}` starts at another parity than the first one of its major layer

    One switch for a major layer says whether its shortcuts start at odd or at even sublayers.""",
    help="put one more conv between the two residuals, or take one out",
)
POOLED_SHORTCUT = Rule(
    "GTI146",
    "error",
    """the shortcut into `{name}` ends right before the pool `{pool}`; the 5801 cannot pool a residual sum

    The vendor's converter adds a hidden sublayer there, and results differ.""",
    help="put one more conv between the residual and the pool",
)
CROSSING = Rule(
    "GTI147",
    "error",
    """the shortcut into `{name}` leaves its major layer: {reason}

    The chip keeps the input of a sublayer only while the same major layer runs.""",
    help="give both convs of a residual the same map size, coefficient width and kind",
)
LONE_DEPTHWISE = Rule(
    "GTI148",
    "error",
    """the depthwise `{name}` fills a major layer without a 1x1 conv; the 5801 then needs {allowed} sublayers

    Measured on the vendor's software chip: a single depthwise sublayer alone computes wrong values, all other
    mixes are exact.""",
    help="pair it with a 1x1 conv of 8-bit weights on the same map",
)
DEPTHWISE_WIDTH = Rule(
    "GTI149",
    "error",
    """the depthwise `{name}` begins a major layer of {allowed} channels with {actual}; a depthwise sublayer keeps its channels

    A major layer has one input and one output width, and its first sublayer goes from one to the other.""",
    help="let the 1x1 conv that widens come first, or keep {actual} channels",
)
WIDE = Rule(
    "GTI150",
    "error",
    """`{name}` has 10-bit output, but {reason}; the 5801 has that only in a last major layer of {allowed} sublayer""",
    help="write `relu(cap = {remedy})`",
)
PADDED = Rule(
    "GTI151",
    "note",
    """`{name}` has {actual} channels in a major layer of {allowed}: {zero} zero filters, {bytes} more

    All sublayers of a major layer have one width, a multiple of 4 and, in the last one, of 8. The compiler fills up with
    filters of zeros; they change no result and cost weight memory.""",
    help="more channels up to {allowed} are free here",
)
SHORTCUT_WIDTH = Rule(
    "GTI152",
    "error",
    """the shortcut into `{name}` adds {actual} channels to {allowed}

    The input of a major layer's first sublayer is as wide as the major layer before it.""",
    help="give the conv before the residual {allowed} channels",
)
DEPTH_SHORTCUT = Rule(
    "GTI153",
    "error",
    """the shortcut into `{name}` ends in a {actual} convolution; shortcuts are proven for dense 3x3 convolutions only""",
    help="use 3x3 convolutions in the residual",
)


def check_plan(mapper: Mapper, majors: list[Major]) -> Iterator[Finding]:
    """Every finding on the mapping."""
    yield from check_majors(mapper, majors)
    for major in majors:
        for breach in mapper.breaches(major):
            yield breach_finding(breach, major, mapper)
    yield from check_wide(mapper)
    yield from check_depth_shortcuts(mapper)
    yield from check_placement(mapper, majors)
    yield from check_weights(mapper, majors)
    yield from check_padding(mapper, majors)


def kib(count: float) -> str:
    if count >= 1 << 20:
        return f"{count / (1 << 20):.2f} MiB"
    return f"{count / 1024:.1f} KiB" if count >= 1024 else f"{count:.0f} B"


def check_majors(mapper: Mapper, majors: list[Major]) -> Iterator[Finding]:
    fact = mapper.facts["limit.majors"]
    most = int(fact.value)
    if len(majors) <= most:
        return
    layers = mapper.layers
    causes: dict[str, int] = {}
    for major in majors[1:]:
        before, layer = layers[major.first - 1], layers[major.first]
        if before.pool is not None:
            cause = "at a pool"
        elif before.mode != layer.mode:
            cause = "at a change of coefficient width or kind"
        else:
            cause = "for length"
        causes[cause] = causes.get(cause, 0) + 1
    parts = ", ".join(f"{count} {cause}" for cause, count in causes.items())
    remedy = f"it is cut {parts}: save {len(majors) - most} of these cuts"
    if len(layers) > most * mapper.longest:
        remedy = f"it has {len(layers)} convolutions; {most} major layers hold at most {most * mapper.longest}"
    if "at a change of coefficient width or kind" in causes:
        remedy += "; giving neighbours the same `weights` is the cheapest"
    first = layers[majors[most].first]
    yield MAJORS(
        first.conv.span,
        label=f"major layer {most + 1} would begin here",
        related=(place(fact), *used_at(first.conv)),
        actual=len(majors),
        allowed=allowed(fact),
        remedy=remedy,
    )


def breach_finding(breach: Breach, major: Major, mapper: Mapper) -> Finding:
    """The finding of a hard rule that `major` breaks at one of its sublayers."""
    layer, facts = mapper.layers[breach.layer], mapper.facts
    used = used_at(layer.conv)
    if breach.rule == "memory":
        fact = facts["memory.activations.size"]
        read, written = mapper.maps(major)[breach.layer - major.first]
        return MEMORY(
            layer.conv.span,
            label=f"{kib(read)} in, {kib(written)} out",
            related=(place(fact), *used),
            name=layer.name,
            actual=f"{read + written:,} B",
            allowed=f"{int(fact.value):,} B",
            remedy=_memory_remedy(layer, read, facts),
        )
    span = (layer.skip_node or layer.conv).span
    if breach.rule == "shortcut parity":
        related = (place(facts["op.residual.parities"]), *used)
        return PARITY(span, related=related, name=layer.name)
    if breach.rule == "shortcut pooled":
        related = (place(facts["op.residual.before_pool"]), *used)
        return POOLED_SHORTCUT(span, related=related, name=layer.name, pool=layer.pool.name if layer.pool else "")
    if breach.rule == "shortcut crosses":
        reason = mapper.cut_reason(breach.layer) or f"a major layer holds {allowed(facts['limit.sublayers'])} sublayers"
        fact = facts["op.residual.convs" if mapper.cut_reason(breach.layer) else "limit.sublayers"]
        related = (place(fact), *used)
        return CROSSING(span, related=related, name=layer.name, reason=reason)
    if breach.rule == "shortcut width":
        related = (place(facts["op.residual.convs"]), *used)
        return SHORTCUT_WIDTH(span, related=related, name=layer.name, actual=major.input_channels, allowed=major.width)
    if breach.rule == "lone depthwise":
        fact = facts["op.depthwise.sublayers"]
        return LONE_DEPTHWISE(layer.conv.span, related=(place(fact), *used), name=layer.name, allowed=allowed(fact))
    if breach.rule == "depthwise width":
        related = (place(facts["op.depthwise.sublayers"]), *used)
        return DEPTHWISE_WIDTH(
            layer.conv.span, related=related, name=layer.name, actual=major.input_channels, allowed=major.width
        )
    fact = facts["type.wide_activation.sublayers"]
    return WIDE(
        layer.conv.span,
        related=(place(fact), *used),
        name=layer.name,
        reason=f"its major layer has {major.count} sublayers",
        allowed=fact.value,
        remedy=facts.number("type.activation.cap"),
    )


def _memory_remedy(layer: Sublayer, read: int, facts: Facts) -> str:
    """The most output channels that fit beside the input, and with a pool behind the conv."""
    room, multiple = facts.number("memory.activations.size") - read, facts.number("limit.channel_multiple")

    def most(size: int) -> int:
        one = map_bytes(multiple, size, facts)
        return max(0, room) // one * multiple if one else 0

    here = most(layer.stored_size)
    remedy = f"at most {here} output channels fit beside this input" if here else "its input alone leaves no room"
    if layer.pool is None and most(layer.size // 2) > here:
        remedy += f", or {most(layer.size // 2)} with a pool right behind it"
    return remedy


def check_wide(mapper: Mapper) -> Iterator[Finding]:
    fact = mapper.facts["type.wide_activation.sublayers"]
    for layer in mapper.layers[:-1]:
        if layer.wide:
            yield WIDE(
                layer.conv.span,
                related=(place(fact), *used_at(layer.conv)),
                name=layer.name,
                reason="more layers follow",
                allowed=fact.value,
                remedy=mapper.facts.number("type.activation.cap"),
            )


def check_depth_shortcuts(mapper: Mapper) -> Iterator[Finding]:
    fact = mapper.facts["op.residual.kinds"]
    for layer in mapper.layers:
        if layer.skip and not holds(fact, layer.kind):
            span = (layer.skip_node or layer.conv).span
            related = (place(fact), *used_at(layer.conv))
            yield DEPTH_SHORTCUT(span, related=related, name=layer.name, actual=layer.kind)


def check_placement(mapper: Mapper, majors: list[Major]) -> Iterator[Finding]:
    """Not of the first sublayer: there the sum of both maps decides, measured on the vendor's converter up to the last byte."""
    facts = mapper.facts
    exact = facts["memory.placement.exact_up_to"]
    sizes = [mapper.maps(major) for major in majors]
    for major, maps, placements in zip(majors, sizes, place_maps(sizes, facts), strict=True):
        for index, (read, written), placed in zip(range(major.first, major.stop), maps, placements, strict=True):
            fits = read + written <= facts.number("memory.activations.size")
            if index and fits and max(read, written) > int(exact.value) and collides(placed, facts):
                layer = mapper.layers[index]
                yield PLACEMENT(
                    layer.conv.span,
                    related=(Related(exact.span, "beyond this size the rule is not proven"), *used_at(layer.conv)),
                    name=layer.name,
                    read=placed.input_block,
                    read_units=placed.input_units,
                    written=placed.output_block,
                    written_units=placed.output_units,
                    allowed=kib(float(exact.value)),
                )


def check_weights(mapper: Mapper, majors: list[Major]) -> Iterator[Finding]:
    fact = mapper.facts["memory.weights.size"]
    total = sum(map(mapper.weight_bytes, majors))
    if total <= int(fact.value):
        return
    line = mapper.facts.number("file.chip_dat.line")
    sizes = {index: line * mapper.lines(index, m) for m in majors for index in range(m.first, m.stop)}
    layer = mapper.layers[max(sizes, key=lambda index: sizes[index])]
    yield WEIGHTS(
        layer.conv.span,
        related=(place(fact), *used_at(layer.conv)),
        actual=f"{total:,} B",
        allowed=f"{int(fact.value):,} B",
        largest=layer.name,
        bytes=kib(max(sizes.values())),
    )


def check_padding(mapper: Mapper, majors: list[Major]) -> Iterator[Finding]:
    """A note for each sublayer that is filled up, with the weight bytes that its zero filters take."""
    for major in majors:
        for index in range(major.first, major.stop):
            layer = mapper.layers[index]
            zero = major.width - layer.out_channels
            if zero > 0:
                yield PADDED(
                    layer.conv.span,
                    related=used_at(layer.conv),
                    name=layer.name,
                    actual=layer.out_channels,
                    allowed=major.width,
                    zero=zero,
                    bytes=kib(mapper.padding_bytes(index, major)),
                )

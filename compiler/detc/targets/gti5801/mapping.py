"""Which sublayers share a major layer: dynamic programming over the cut points.

The best mapping breaks the fewest hard rules, then has the fewest major layers, then the fewest bytes of weights, padding
included. Padding is what sharing costs: all sublayers of a major layer are as wide as its widest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

from detc.targets.bounds import holds
from detc.targets.facts import Facts
from detc.targets.gti5801.chain import Sublayer
from detc.targets.gti5801.memory import ceil_to, map_bytes


@dataclass(frozen=True, slots=True)
class Major:
    """Sublayers `first` to `stop` (exclusive) of the chain. Channels as the chip holds them, padding included.

    `cut` says why it does not share a major layer with the sublayers before it.
    """

    first: int
    stop: int
    input_channels: int
    width: int
    cut: str = ""

    @property
    def count(self) -> int:
        return self.stop - self.first


@dataclass(frozen=True, slots=True)
class Breach:
    """A hard rule that a major layer breaks: `rule` names it, `layer` is the sublayer's index in the chain."""

    rule: str
    layer: int


@dataclass(frozen=True, slots=True, order=True)
class _Cost:
    breaches: int
    majors: int
    bytes: int

    def plus(self, breaches: int, size: int) -> _Cost:
        return _Cost(self.breaches + breaches, self.majors + 1, self.bytes + size)


@dataclass(slots=True)
class _State:
    cost: _Cost
    major: Major | None = None
    before: _State | None = field(default=None, repr=False)


class Mapper:
    """The rules of major layers over one chain; all widths and costs follow from the target's facts."""

    def __init__(self, layers: list[Sublayer], facts: Facts):
        self.layers = layers
        self.facts = facts
        self.longest = max(1, facts.number("limit.sublayers"))
        self.granules = self._granules()
        self.asked = self._asked()

    def _granules(self) -> list[int]:
        """What the outputs of each sublayer must be a multiple of: more before a 1x1 conv and at the end of the net."""
        interior = self.facts.number("limit.channel_multiple")
        pointwise = self.facts.number("op.pointwise.channel_multiple")
        granules = [interior] * len(self.layers)
        for index in range(len(self.layers) - 1, -1, -1):
            if index + 1 == len(self.layers):
                granules[index] = self.facts.number("limit.output_multiple")
            elif self.layers[index + 1].kind == "pointwise":
                granules[index] = pointwise
            elif self.layers[index + 1].kind == "depthwise":
                granules[index] = granules[index + 1]
        return granules

    def _asked(self) -> list[set[int]]:
        """Widths that a major layer starting at each sublayer may ask of the one before it.

        A depthwise sublayer cannot widen, so a major layer that begins with one needs its own width as input; where that is
        itself filled up for its successor, the wish is handed on.
        """
        asked: list[set[int]] = [set() for _ in range(len(self.layers) + 1)]
        if len(self.layers) <= self.facts.number("limit.majors") * self.longest:
            for first in range(len(self.layers) - 1, 0, -1):
                if self.layers[first].kind == "depthwise":
                    for stop in self._stops(first):
                        asked[first] |= {self.width(first, stop), *asked[stop]}
        return asked

    def widths(self, first: int, stop: int) -> list[int]:
        """The widths worth trying: the least that holds its sublayers, and wider ones that the next major layer may need."""
        least = self.width(first, stop)
        return [least, *sorted(width for width in self.asked[stop] if width > least)]

    def cut_reason(self, index: int) -> str:
        """Why sublayer `index` must start a major layer; empty where it may join the one before."""
        if index == 0:
            return "the start"
        before, layer = self.layers[index - 1], self.layers[index]
        if before.pool is not None:
            return f"behind the pool `{before.pool.name}`"
        if before.size != layer.size:
            return f"maps of {layer.size} instead of {before.size}"
        if before.bits != layer.bits:
            return f"{layer.bits}-bit weights instead of {before.bits}-bit"
        if before.mode != layer.mode:
            return "depth mode begins" if layer.mode[1] else "depth mode ends"
        if layer.wide:
            return "10-bit output"
        return ""

    def width(self, first: int, stop: int) -> int:
        """The channels that every sublayer of the major layer gives."""
        span = range(first, stop)
        multiple = max(self.granules[i] for i in span)
        return ceil_to(max(ceil_to(self.layers[i].out_channels, self.granules[i]) for i in span), multiple)

    def input_channels(self, index: int, width_before: int) -> int:
        return width_before if index else self.layers[0].in_channels

    def maps(self, major: Major) -> list[tuple[int, int]]:
        """(input bytes, stored output bytes) of each sublayer."""
        result = []
        for index in range(major.first, major.stop):
            layer = self.layers[index]
            channels = major.input_channels if index == major.first else major.width
            stored = map_bytes(major.width, layer.stored_size, self.facts)
            result.append((map_bytes(channels, layer.size, self.facts), stored))
        return result

    def breaches(self, major: Major) -> list[Breach]:
        """Every hard rule of a major layer that this one breaks, but for their number."""
        span = range(major.first, major.stop)
        layers = self.layers
        found = [
            Breach("memory", index)
            for index, (read, written) in zip(span, self.maps(major), strict=True)
            if read + written > self.facts.number("memory.activations.size")
        ]
        starts = [index - major.first for index in span if layers[index].skip]
        found += [Breach("shortcut crosses", major.first)] if 0 in starts else []
        if len({start % 2 for start in starts}) > self.facts.number("op.residual.parities"):
            other = [index for index in span if layers[index].skip and (index - major.first - starts[0]) % 2]
            found.append(Breach("shortcut parity", other[0] if other else major.first + starts[0]))
        last = layers[major.stop - 1]
        if last.skip and last.pool is not None and not holds(self.facts["op.residual.before_pool"], True):
            found.append(Breach("shortcut pooled", major.stop - 1))
        if 1 in starts and major.input_channels != major.width:
            found.append(Breach("shortcut width", major.first + 1))
        depth = [index for index in span if layers[index].kind == "depthwise"]
        if depth and major.count == len(depth) < self.facts.number("op.depthwise.sublayers"):
            found.append(Breach("lone depthwise", major.first))
        if layers[major.first].kind == "depthwise" and major.input_channels != major.width:
            found.append(Breach("depthwise width", major.first))
        if last.wide and major.count != self.facts.number("type.wide_activation.sublayers"):
            found.append(Breach("wide sublayers", major.stop - 1))
        return found

    def lines(self, index: int, major: Major) -> int:
        """48-byte lines of weights of one sublayer of a major layer. Measured on the vendor's converter: exact."""
        four = self.facts.number("limit.channel_multiple")
        layer = self.layers[index]
        channels = ceil_to(major.input_channels if index == major.first else major.width, four)
        width = ceil_to(major.width, four)
        if layer.kind == "depthwise":
            return -(-width // self.facts.number("file.chip_dat.kernels_depthwise"))
        if layer.kind == "pointwise":
            return -(-width * channels // self.facts.number("file.chip_dat.kernels_pointwise"))
        kernels = self.facts.find(f"file.chip_dat.kernels_{layer.bits}bit")
        return -(-width * channels // int(kernels.value)) if kernels else width * channels

    def padding_bytes(self, index: int, major: Major) -> int:
        """Weight bytes of a sublayer that hold kernels of zeros, because its major layer is wider than the spec asks for."""
        layer, four = self.layers[index], self.facts.number("limit.channel_multiple")
        held = ceil_to(major.width, four)
        real = layer.out_channels
        if layer.kind != "depthwise":
            held *= ceil_to(major.input_channels if index == major.first else major.width, four)
            real *= layer.in_channels
        bytes = self.facts.number("file.chip_dat.line") * self.lines(index, major)
        return bytes * (held - real) // held

    def weight_bytes(self, major: Major) -> int:
        line = self.facts.number("file.chip_dat.line")
        return line * sum(self.lines(index, major) for index in range(major.first, major.stop))

    def best(self, majors: int | None = None) -> list[Major]:
        """The best mapping of the chain, or the best of exactly `majors` major layers (empty where there is none)."""
        count = len(self.layers)
        reached: list[dict[tuple[int, int], _State]] = [{} for _ in range(count + 1)]
        reached[0][(0, 0)] = _State(_Cost(0, 0, 0))
        for first in range(count):
            for stop in self._stops(first):
                for width, ((width_before, used), state) in product(self.widths(first, stop), reached[first].items()):
                    if majors is not None and used >= majors:
                        continue
                    major = Major(first, stop, self.input_channels(first, width_before), width)
                    cost = state.cost.plus(len(self.breaches(major)), self.weight_bytes(major))
                    key = (width, used + 1 if majors is not None else 0)
                    known = reached[stop].get(key)
                    if known is None or cost < known.cost:
                        reached[stop][key] = _State(cost, major, state)
        ends = [state for (_, used), state in reached[count].items() if majors is None or used == majors]
        return self._walk_back(min(ends, key=lambda state: state.cost)) if ends else []

    def greedy(self) -> list[Major]:
        """Major layers as long as they may be: for a net that is too deep by far, where no search can help."""
        majors: list[Major] = []
        first = before = 0
        while first < len(self.layers):
            stop = self._stops(first)[-1]
            reason = self.cut_reason(first) or f"{self.longest} sublayers before it"
            majors.append(Major(first, stop, self.input_channels(first, before), self.width(first, stop), reason))
            first, before = stop, majors[-1].width
        return majors

    def _stops(self, first: int) -> list[int]:
        """Where a major layer that starts at `first` may end: not across a forced cut, not past the sublayer limit."""
        stops = []
        for stop in range(first + 1, min(first + self.longest, len(self.layers)) + 1):
            stops.append(stop)
            if stop < len(self.layers) and self.cut_reason(stop):
                break
        return stops

    def _walk_back(self, state: _State | None) -> list[Major]:
        majors: list[Major] = []
        while state is not None and state.major is not None:
            major = state.major
            reason = self.cut_reason(major.first) or self._chosen_cut(
                state.before.major if state.before else None, major
            )
            majors.append(Major(major.first, major.stop, major.input_channels, major.width, reason))
            state = state.before
        return majors[::-1]

    def _chosen_cut(self, before: Major | None, major: Major) -> str:
        """Why the search cut where no rule forced it to."""
        joined = major.count + (before.count if before else 0)
        if joined > self.longest:
            return f"{joined} sublayers are more than {self.longest}"
        if before and self.breaches(
            Major(before.first, major.stop, before.input_channels, self.width(before.first, major.stop))
        ):
            return "together they would break a rule"
        return "apart they take less weight memory"


def map_layers(layers: list[Sublayer], facts: Facts) -> tuple[Mapper, list[Major]]:
    """The mapping: fewest major layers that keep all hard rules and, if any mapping can, the soft limit of weight memory."""
    mapper = Mapper(layers, facts)
    most = facts.number("limit.majors")
    if len(layers) > most * mapper.longest:
        return mapper, mapper.greedy()
    best = mapper.best() if layers else []

    def breaches(majors: list[Major]) -> int:
        return sum(len(mapper.breaches(major)) for major in majors)

    def size(majors: list[Major]) -> int:
        return sum(map(mapper.weight_bytes, majors))

    room = facts.number("memory.weights.size")
    if size(best) > room:
        for count in range(len(best) + 1, min(most, len(layers)) + 1):
            finer = mapper.best(count)
            if finer and breaches(finer) <= breaches(best) and size(finer) <= room:
                return mapper, finer
    return mapper, best

"""What one core holds of a layer, and the tile that spreads a layer over the fewest cores.

Intel's compiler is closed. These rules reproduce the cores of all 13 layers whose `Per core utilization` is published, and
most of their memory; they are an estimate all the same. Every number is the target's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt, prod

from detc.ir.ops.conv import Conv
from detc.targets.facts import Facts
from detc.targets.loihi2.layers import Layer

Tile = tuple[int, ...]
"""(columns, rows, channels) of a map, or (outputs,) of a vector, on one core."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tile takes of its core: memory in bytes, `memory` in all, neurons with their states included."""

    neurons: int
    groups: int
    synapses: int
    axon_in: int
    axon_map: int
    axon_memory: int
    memory: float


@dataclass(frozen=True, slots=True)
class Mapped:
    """A layer on its cores."""

    layer: Layer
    tile: Tile
    usage: Usage
    cores: int


def cores_of(shape: Tile, tile: Tile) -> int:
    """Tiles that cover a box of this shape."""
    return prod(-(-n // t) for n, t in zip(shape, tile, strict=True))


def halvings(n: int) -> list[int]:
    """n, n / 2, n / 4 .. 1, rounded up."""
    found = [n]
    while found[-1] > 1:
        found.append(-(-n // (1 << len(found))))
    return found


def powers(n: int) -> list[int]:
    """n, and the powers of two below it, falling."""
    return [n, *(1 << k for k in range((n - 1).bit_length() - 1, -1, -1))]


def parts(n: int) -> list[int]:
    """The least size of a part for each number of parts: all sizes worth trying."""
    root = min(isqrt(n) + 1, n)
    return sorted({*range(1, root + 1), *(-(-n // count) for count in range(1, root + 1))}, reverse=True)


@dataclass(frozen=True, slots=True)
class Rates:
    """What a layer takes of a core. `lists` are the input values (of a group of channels, with the places of the kernel) whose
    weights a core lists, `list_words` the words that begin each list. The others are bytes but for `groups` and `weight_bits`;
    `axon_map` is that of one output pixel, of dense layers and read-outs that of one neuron.
    """

    lists: int
    list_words: int
    weight_bits: int
    axon_in: int
    axon_map: int
    axon_memory: int
    groups: int


class Mapper:
    """The rules of a core, from the facts of a target."""

    def __init__(self, facts: Facts):
        self.facts = facts
        n = facts.number
        self.word = n("core.word")
        self.neurons, self.groups = n("core.neurons"), n("core.groups")
        self.synapses, self.memory = n("core.synapses"), n("core.memory")
        self.per_neuron = n("core.neuron_memory") / self.neurons
        self.found: dict[tuple[object, ...], tuple[Tile, int] | None] = {}
        self.bounds: dict[tuple[object, ...], int] = {}

    def rates(self, layer: Layer) -> Rates:
        n, op, dense = self.facts.number, layer.op, layer.kind == "dense"
        kind = f"estimate.{layer.kind}"
        head = "estimate.readout" if layer.sigma is not None else kind
        inputs = prod(layer.in_shape) if dense else 1
        return Rates(
            lists=layer.in_shape[0] // op.groups * prod(op.k) if isinstance(op, Conv) else inputs,
            list_words=n(f"{kind}.list_words"),
            weight_bits=n("estimate.dense.synapse_bits" if dense else "type.weight.bits"),
            axon_in=n(f"{kind}.axon_in") * inputs,
            axon_map=n(f"{head}.axon_map"),
            axon_memory=n(f"{kind}.axon_memory"),
            groups=n(f"{head}.groups"),
        )

    def usage(self, layer: Layer, tile: Tile, rates: Rates | None = None) -> Usage:
        """What a core with this tile of the layer takes."""
        rates = rates or self.rates(layer)
        neurons = prod(tile)
        words = rates.list_words + -(-tile[-1] * rates.weight_bits // (8 * self.word))
        synapses = rates.lists * words * self.word
        each = layer.kind == "dense" or layer.sigma is not None
        axon_map = rates.axon_map * (neurons if each else neurons // tile[-1])
        total = synapses + rates.axon_in + axon_map + rates.axon_memory + self.per_neuron * neurons
        return Usage(neurons, rates.groups, synapses, rates.axon_in, axon_map, rates.axon_memory, total)

    def holds(self, usage: Usage) -> bool:
        """Whether a core has room for it."""
        return (
            usage.neurons <= self.neurons
            and usage.groups <= self.groups
            and usage.synapses <= self.synapses
            and usage.memory <= self.memory
        )

    def shares(self, usage: Usage) -> dict[str, float]:
        """How full a core is, in percent of what it has; axons stand in the memory of synapses, `total` is all memory."""
        parts = {
            "neuron_groups": (usage.groups, self.groups),
            "neurons": (usage.neurons, self.neurons),
            "synapses": (usage.synapses, self.synapses),
            "axon_in": (usage.axon_in, self.synapses),
            "axon_map": (usage.axon_map, self.synapses),
            "axon_memory": (usage.axon_memory, self.synapses),
            "total": (usage.memory, self.memory),
        }
        return {name: round(100 * used / held, 2) for name, (used, held) in parts.items()}

    def map(self, layer: Layer) -> Mapped | None:
        """The layer on the fewest cores; None where not even one neuron fits on one.

        Of tiles that take equally few cores the one whose cores read the fewest input values in all.
        """
        key = self._key(layer)
        if key not in self.found:
            self.found[key] = self._search(layer)
        best = self.found[key]
        return Mapped(layer, best[0], self.usage(layer, best[0]), best[1]) if best else None

    def bound(self, mapped: Mapped) -> int:
        """The cores that no choice of tiles of this layer undercuts: the fewest with tiles of any size."""
        layer, shape = mapped.layer, box(mapped.layer)
        if len(shape) == 1:
            return mapped.cores
        key = self._key(layer)
        if key not in self.bounds:
            tiles = self._highest(layer, *(parts(n) for n in shape))
            self.bounds[key] = min(cores_of(shape, tile) for tile in tiles)
        return self.bounds[key]

    def _key(self, layer: Layer) -> tuple[object, ...]:
        """What the cores of a layer depend on."""
        op = layer.op
        window = (op.k, op.stride, op.groups) if isinstance(op, Conv) else ()
        return (layer.kind, layer.in_shape, layer.shape, *window, layer.sigma is None)

    def _search(self, layer: Layer) -> tuple[Tile, int] | None:
        """(tile, cores)"""
        shape = box(layer)
        if len(shape) == 1:
            tile = self._longest(layer, shape[0])
            return (tile, cores_of(shape, tile)) if tile else None
        width, height, channels = shape
        tiles = list(self._highest(layer, powers(width), halvings(height), halvings(channels)))
        if not tiles:
            return None
        best = min(tiles, key=lambda tile: (cores_of(shape, tile), _read(layer, tile), tile))
        return best, cores_of(shape, best)

    def _longest(self, layer: Layer, outputs: int) -> Tile | None:
        """As many outputs as fit on a core, spread evenly; None where not even one does."""
        rates = self.rates(layer)
        most = bisect_left(range(1, outputs + 1), True, key=lambda n: not self.holds(self.usage(layer, (n,), rates)))
        return (-(-outputs // -(-outputs // most)),) if most else None

    def _highest(self, layer: Layer, widths: list[int], heights: list[int], channels: list[int]) -> Iterator[Tile]:
        """For each width and depth the highest tile that fits; sizes come falling.

        All that a core holds grows with each side of its tile, so of equally wide and deep tiles the highest takes the fewest
        cores.
        """
        rates = self.rates(layer)
        for c in channels:
            most = self._pixels(layer, c, rates)
            for w in (w for w in widths if w <= most):
                at = bisect_left(heights, True, key=lambda h: w * h <= most)
                if at < len(heights):
                    yield (w, heights[at], c)

    def _pixels(self, layer: Layer, channels: int, rates: Rates) -> int:
        """How many pixels of so many channels a core holds; their shape makes no difference."""
        sizes = range(1, self.neurons // channels + 1)
        return bisect_left(sizes, True, key=lambda n: not self.holds(self.usage(layer, (n, 1, channels), rates)))


def box(layer: Layer) -> Tile:
    """The output of a layer as tiles count it: (columns, rows, channels), or (outputs,)."""
    return layer.shape[::-1] if len(layer.shape) == 3 else layer.shape


def _read(layer: Layer, tile: Tile) -> int:
    """Input pixels that the cores of a layer read, those that several read counted as often."""
    op = layer.op
    assert isinstance(op, Conv)
    windows = [(n - 1) * step + k for n, step, k in zip(tile[1::-1], op.stride, op.k, strict=True)]
    return cores_of(box(layer), tile) * prod(windows)

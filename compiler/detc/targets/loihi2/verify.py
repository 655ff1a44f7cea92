"""The verifier of a plan: it reads only the plan, the graph and the target, and trusts nothing of the mapper.

It deals every output neuron to its core, counts what each core then holds, and compares with the target's facts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from detc.diagnostics import Finding, Rule
from detc.ir.graph import Graph
from detc.semantics.program import Target

BROKEN_PLAN = Rule(
    "LOI199",
    "error",
    """detc's own mapping is wrong: {actual}

    The mapper and this check are written apart on purpose. Your spec is not at fault.""",
    help="please report it with the spec",
)
MOST_MARKS = 1_000_000
"""Pixels, times cores above each other, up to which a layer is dealt neuron by neuron."""
WEIGHTED = ("conv", "dense")
Core = tuple[int, int, int]
"""Columns, rows and channels that a core holds; a dense layer's outputs are its channels."""


def verify_plan(plan: dict[str, Any], graph: Graph, target: Target) -> tuple[Finding, ...]:
    """A finding for each broken promise; none for a plan that holds."""
    said = [text for net in plan["nets"] for text in (*_chain(net, graph), *_cores(net, target))]
    if len({net["name"] for net in plan["nets"]}) < len(plan["nets"]):
        said.append("two nets have one name")
    return tuple(BROKEN_PLAN(target.span, actual=text) for text in dict.fromkeys(said))


def _chain(net: dict[str, Any], graph: Graph) -> Iterator[str]:
    """Layers read each other from the input to the output, with the shapes of the graph, and end in the only read-out."""
    name = net["input"]["node"]
    outputs = graph.outputs[net["output"]]
    for layer in net["layers"]:
        for inner in layer["nodes"]:
            if not _reads(graph, inner, name):
                yield f"{inner} does not read {name}"
            name = inner
        if list(graph[name].type.shape) != layer["shape"]:
            yield f"{layer['name']} gives {list(graph[name].type.shape)}, the plan says {layer['shape']}"
    if not _reads(graph, outputs[net["index"]], name) and outputs[net["index"]] != name:
        yield f"net {net['name']} ends in {name}, not in {outputs[net['index']]}"
    weighted = [layer for layer in net["layers"] if layer["type"] in WEIGHTED]
    if [layer["sigma"] for layer in weighted] != [False] * (len(weighted) - 1) + [True]:
        yield f"net {net['name']} has no read-out at its end, or others before it"
    if net["latency"] < len(weighted) or net["layers"][0]["type"] != "input":
        yield f"net {net['name']} has {len(weighted)} layers with weights and a latency of {net['latency']}"


def _reads(graph: Graph, node: str, source: str) -> bool:
    """Whether `node` reads `source`, perhaps through identities."""
    if node == source:
        return False
    read = graph[node].inputs
    while read and read[0] != source and graph[read[0]].op.name == "identity":
        read = graph[read[0]].inputs
    return bool(read) and read[0] == source


def _cores(net: dict[str, Any], target: Target) -> Iterator[str]:
    """Each output neuron on one core of its layer, no core too full, no core too few or too many in the sum."""
    total = 0
    for layer in net["layers"]:
        if layer["type"] in WEIGHTED:
            held, faults = _dealt(layer)
            total += sum(held.values())
            if sum(held.values()) != layer["cores"]:
                yield f"{layer['name']} is dealt to {sum(held.values())} cores, the plan says {layer['cores']}"
            yield from faults
            for core in held:
                yield from _too_full(layer, core, target)
    chip = target.root.find("chip")
    if total != net["cores"] or (chip and net["chips"] != math.ceil(total / chip.facts["cores"].value)):
        yield f"net {net['name']} takes {total} cores, the plan says {net['cores']} on {net['chips']} chips"


def _dealt(layer: dict[str, Any]) -> tuple[dict[Core, int], list[str]]:
    """(how many cores hold a box of each size, what is wrong with the dealing)."""
    shape = layer["shape"] if len(layer["shape"]) == 3 else [layer["shape"][0], 1, 1]
    tile = layer["tile"] if len(layer["tile"]) == 3 else [1, 1, layer["tile"][0]]
    if min(tile) < 1 or len(layer["tile"]) != len(layer["shape"]):
        return {}, [f"{layer['name']} has the tile {layer['tile']}"]
    channels, height, width = shape
    marks = height * width * math.ceil(channels / tile[2])
    deal = _neuron_by_neuron if marks <= MOST_MARKS else _axis_by_axis
    held, twice, none = deal((width, height, channels), (tile[0], tile[1], tile[2]))
    faults = [f"{layer['name']} has neurons on two cores"] if twice else []
    return held, faults + ([f"{layer['name']} has neurons on no core"] if none else [])


@lru_cache(maxsize=100)
def _neuron_by_neuron(shape: Core, tile: Core) -> tuple[dict[Core, int], bool, bool]:
    """(cores by what they hold, whether a neuron is on two, whether one is on none).

    Walks over the layer tile by tile and marks the channels of every pixel that a core takes as bits of a number.
    """
    width, height, channels = shape
    taken = [0] * (height * width)
    held: dict[Core, int] = {}
    twice = False
    for first in range(0, channels, tile[2]):
        deep = min(tile[2], channels - first)
        mark = ((1 << deep) - 1) << first
        for top in range(0, height, tile[1]):
            high = min(tile[1], height - top)
            for left in range(0, width, tile[0]):
                wide = min(tile[0], width - left)
                held[wide, high, deep] = held.get((wide, high, deep), 0) + 1
                for row in range(top, top + high):
                    for pixel in range(row * width + left, row * width + left + wide):
                        twice = twice or bool(taken[pixel] & mark)
                        taken[pixel] |= mark
    whole = (1 << channels) - 1
    return held, twice, any(mark != whole for mark in taken)


def _axis_by_axis(shape: Core, tile: Core) -> tuple[dict[Core, int], bool, bool]:
    """The same of a layer too large to walk over: tiles are products of pieces of the three axes, so these are dealt alone."""
    pieces: list[dict[int, int]] = []
    twice = none = False
    for count, size in zip(shape, tile, strict=True):
        taken = bytearray(count)
        found: dict[int, int] = {}
        for first in range(0, count, size):
            piece = min(size, count - first)
            found[piece] = found.get(piece, 0) + 1
            twice = twice or any(taken[first : first + piece])
            taken[first : first + piece] = b"\x01" * piece
        none = none or not all(taken)
        pieces.append(found)
    cores = {
        (w, h, c): m * n * o for w, m in pieces[0].items() for h, n in pieces[1].items() for c, o in pieces[2].items()
    }
    return cores, twice, none


def _too_full(layer: dict[str, Any], core: Core, target: Target) -> Iterator[str]:
    """What a core with so many columns, rows and channels of the layer has too much of."""

    def fact(path: str) -> float:
        kind, label, name = path.split(".")
        section = target.root.find(kind, label)
        assert section is not None
        return float(section.facts[name].value)

    wide, high, deep = core
    neurons, word, kind = wide * high * deep, fact("core..word"), layer["type"]
    bits = fact("type.weight.bits") if kind == "conv" else fact("estimate.dense.synapse_bits")
    words = 0.0
    if kind == "conv":
        one = fact(f"estimate.{kind}.list_words") + math.ceil(deep * bits / (8 * word))
        for _ in range(layer["in"] // layer["groups"]):
            words += one * layer["k"][0] * layer["k"][1]
        axon_in = fact("estimate.conv.axon_in")
    else:
        one = fact(f"estimate.{kind}.list_words") + math.ceil(neurons * bits / (8 * word))
        words = one * layer["in"]
        axon_in = layer["in"] * fact("estimate.dense.axon_in")
    per = "readout" if layer["sigma"] else kind
    mapped = neurons if layer["sigma"] or kind == "dense" else wide * high
    total = words * word + axon_in + fact(f"estimate.{per}.axon_map") * mapped + fact(f"estimate.{kind}.axon_memory")
    total += neurons * fact("core..neuron_memory") / fact("core..neurons")
    for used, held, what in (
        (neurons, fact("core..neurons"), "neurons"),
        (words * word, fact("core..synapses"), "bytes of synapses"),
        (fact(f"estimate.{per}.groups"), fact("core..groups"), "groups of neurons"),
        (total, fact("core..memory"), "bytes in all"),
    ):
        if used > held + 1e-6:
            yield f"a core of {layer['name']} holds {used:g} {what} of {held:g}"

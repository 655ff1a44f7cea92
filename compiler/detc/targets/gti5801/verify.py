"""The verifier of a plan: it reads only the plan, the graph and the target, and trusts nothing of the planner.

It runs the plan on a picture of the activation memory, unit by unit, and checks every promise that the runtime relies on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from detc.diagnostics import Finding, Rule
from detc.ir.graph import Graph
from detc.ir.ops.conv import Conv
from detc.semantics.program import Target

BROKEN_PLAN = Rule(
    "GTI199",
    "error",
    """detc's own mapping is wrong: {actual}

    The planner and this check are written apart on purpose. Your spec is not at fault.""",
    help="please report it with the spec",
)


def verify_plan(plan: dict[str, Any], graph: Graph, host: frozenset[str], target: Target) -> tuple[Finding, ...]:
    """A finding for each broken promise; none for a plan that holds."""
    said = (*_coverage(plan, graph, host), *_shapes(plan, graph), *_limits(plan, target), *_memory(plan, target))
    return tuple(BROKEN_PLAN(target.span, actual=text) for text in said)


def _sublayers(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [sublayer for major in plan["majors"] for sublayer in major["sublayers"]]


def _coverage(plan: dict[str, Any], graph: Graph, host: frozenset[str]) -> Iterator[str]:
    """Every conv of the chip's part exactly once, in execution order."""
    planned = [sublayer["conv"] for sublayer in _sublayers(plan)]
    wanted = [node.name for node in graph if isinstance(node.op, Conv) and node.name not in host]
    if planned != wanted:
        yield f"it plans the convolutions {planned} for {wanted}"
    if [major["number"] for major in plan["majors"]] != list(range(1, len(plan["majors"]) + 1)):
        yield "major layers are not numbered 1, 2, 3 .."


def _shapes(plan: dict[str, Any], graph: Graph) -> Iterator[str]:
    """Padded channels and sizes chain, and each sublayer has room for what the graph wants of it."""
    channels, size = None, None
    for major in plan["majors"]:
        if size is not None and major["image_size"] != size:
            yield f"major layer {major['number']} reads {major['image_size']}, the one before stores {size}"
        for sublayer in major["sublayers"]:
            node = graph[sublayer["conv"]]
            source = graph[node.inputs[0]].type
            if channels is not None and sublayer["padded_in"] != channels:
                yield f"{node.name} reads {sublayer['padded_in']} channels, {channels} are stored"
            if source.height != major["image_size"] or source.width != major["image_size"]:
                yield f"{node.name} works on {source}, its major layer on {major['image_size']}"
            if sublayer["padded_in"] < source.channels or sublayer["padded_out"] < node.type.channels:
                yield f"{node.name} has no room for its channels"
            if sublayer["padded_out"] != major["output_channels"]:
                yield f"{node.name} is {sublayer['padded_out']} wide in a major layer of {major['output_channels']}"
            weights = node.op.weights if isinstance(node.op, Conv) else None
            if weights and weights[1:2] and weights[1] != major["bits"]:
                yield f"{node.name} wants {weights[1]}-bit weights, its major layer has {major['bits']}"
            channels = sublayer["padded_out"]
        size = major["image_size"] // 2 if major["pool"] else major["image_size"]
    if size != plan["output_size"] or graph[plan["output"]].type.height != size:
        yield f"the last map has {size} pixels, the plan says {plan['output_size']}"


def _limits(plan: dict[str, Any], target: Target) -> Iterator[str]:
    majors, sublayers = target.limit("majors"), target.limit("sublayers")
    if majors and len(plan["majors"]) > majors.value:
        yield f"{len(plan['majors'])} major layers"
    for major in plan["majors"]:
        count, number = len(major["sublayers"]), major["number"]
        if sublayers and not 1 <= count <= sublayers.value:
            yield f"major layer {number} has {count} sublayers"
        if any(not 1 <= start < count for start in major["shortcuts"]):
            yield f"major layer {number} has shortcuts at {major['shortcuts']}"
        if len({start % 2 for start in major["shortcuts"]}) > 1:
            yield f"shortcuts of major layer {number} start at odd and at even sublayers"
        kinds = {sublayer["kind"] for sublayer in major["sublayers"]}
        if major["depth_enable"] == ("conv3x3" in kinds):
            yield f"major layer {number} mixes {', '.join(sorted(kinds))}"


def _memory(plan: dict[str, Any], target: Target) -> Iterator[str]:
    """Paints each map into a fresh memory, tile by tile: the input first, then the output into what is left."""
    section, multiple = target.root.find("memory", "activations"), target.limit("channel_multiple")
    if section is None or multiple is None:
        return
    step = int(multiple.value)
    value = {name: float(fact.value) for name, fact in section.facts.items()}
    room = math.floor(value["size"] / value["tile_bytes"])

    def needed(channels: int, size: int) -> int:
        return math.ceil((size / value["tile"]) ** 2 * (step * math.ceil(channels / step)))

    for major in plan["majors"]:
        for index, sublayer in enumerate(major["sublayers"]):
            pooled = major["pool"] and index == len(major["sublayers"]) - 1
            stored = major["image_size"] // (2 if pooled else 1)
            memory = bytearray(room)
            read, written = needed(sublayer["padded_in"], major["image_size"]), needed(sublayer["padded_out"], stored)
            memory[:read] = b"\xa5" * read
            if len(memory) > room or memory.count(0) < written:
                yield f"{sublayer['conv']} reads {read} and writes {written} of {room} tiles of activation memory"

"""What a net costs on the chip: cores, chips, steps, estimates of events and operations; bars, columns, the core table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from detc.targets.facts import Facts
from detc.targets.loihi2.layers import Net
from detc.targets.loihi2.tiles import Mapped, Mapper

TITLES = {
    "cores": "cores",
    "cores_lower_bound": "cores at least",
    "latency_steps": "steps until a frame is through",
    "events_est": "events a frame",
    "synops_est": "synaptic operations a frame",
}
BRIEF = {"cores": "cores"}
"""The metrics of a line in a table of many nets."""

Parts = Sequence[tuple[Net, Sequence[Mapped]]]
"""Each net with its layers on their cores."""


def metrics(parts: Parts, mapper: Mapper, facts: Facts) -> dict[str, Any]:
    """Figures of all nets together; of the latency the longest. A frame makes `activity` of all neurons send, each event an
    operation in every synapse that it reaches."""
    mapped = [part for _, layers in parts for part in layers]
    cores = sum(part.cores for part in mapped)
    activity = float(facts["estimate.events.activity"].value)
    sending = sum(layer.elements for net, _ in parts for layer in net.layers if layer.neurons is not None)
    return {
        "cores": cores,
        "chips": -(-cores // facts.number("chip.cores")),
        "cores_lower_bound": lower_bound(mapped, mapper),
        "neurons": sending + sum(part.layer.elements for part in mapped if part.layer.sigma is not None),
        "latency_steps": max(latency(net, facts) for net, _ in parts),
        "events_est": round(activity * sending),
        "synops_est": round(activity * sum(part.layer.macs for part in mapped)),
    }


def lower_bound(mapped: Sequence[Mapped], mapper: Mapper) -> int:
    """Cores that no choice of tiles undercuts."""
    return sum(mapper.bound(part) for part in mapped)


def latency(net: Net, facts: Facts) -> int:
    """Steps from a frame to the first output that depends on it: those of its layers, and of their axons' delays."""
    return net.depth * facts.number("estimate.latency.steps") + net.delay


def errors(facts: Facts) -> dict[str, float]:
    """By how much an estimate may be wrong, as a share of it."""
    return {"cores": float(facts["estimate.cores.margin"].value)}


def limits(figures: dict[str, Any], facts: Facts) -> list[dict[str, Any]]:
    """One entry a budget bar."""
    chips, cores = facts["board.chips"], facts["chip.cores"]
    bars = (("cores", int(chips.value * cores.value), cores), ("chips", int(chips.value), chips))
    return [
        {"name": name, "used": figures[name], "limit": limit, "unit": "", "soft": False, "source": fact.source}
        | {"placeholder": fact.placeholder, "span": fact.span.as_json()}
        for name, limit, fact in bars
    ]


def columns(parts: Parts) -> dict[str, dict[str, Any]]:
    """What the layer table says of each layer with weights: its cores in all nets that have it, and the tile of one."""
    rows: dict[str, dict[str, Any]] = {}
    for _, layers in parts:
        for part in layers:
            row = rows.setdefault(part.layer.name, {"cores": 0, "tile": list(part.tile)})
            row["cores"] += part.cores
    return rows


COLUMNS = (
    ("layer", "layer", ""),
    ("tile", "tile", ""),
    ("neuron_groups", "neuron groups", "%"),
    ("neurons", "neurons", "%"),
    ("synapses", "synapses", "%"),
    ("axon_in", "axon in", "%"),
    ("axon_map", "axon map", "%"),
    ("axon_memory", "axon memory", "%"),
    ("total", "total", "%"),
    ("cores", "cores", ""),
)
"""Keys, titles and units, in the order of the `Per core utilization` of Intel's compiler."""


def core_table(parts: Parts, mapper: Mapper) -> dict[str, Any]:
    """How full a core of each layer is, in percent of what it has; the memory of all its parts together is the total."""
    return {
        "name": "cores",
        "title": "How full a core of each layer is",
        "columns": [{"key": key, "title": title, "unit": unit} for key, title, unit in COLUMNS],
        "rows": list(_core_rows(parts, mapper)),
    }


def _core_rows(parts: Parts, mapper: Mapper) -> Iterator[dict[str, Any]]:
    for net, layers in parts:
        for part in layers:
            name = part.layer.name if len(parts) == 1 else f"{net.name}: {part.layer.name}"
            yield {"layer": name, "tile": list(part.tile), **mapper.shares(part.usage), "cores": part.cores}

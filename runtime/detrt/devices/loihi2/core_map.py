"""Which cores a net takes, as the plan says: a table to read, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WORDS = 4
"""Columns of words; those behind them hold numbers."""
USAGE = ("neuron_groups", "neurons", "synapses", "axon_in", "axon_map", "axon_memory", "total")
COLUMNS = ("layer", "spec", "shape", "tile", *(f"{name.replace('_', ' ')} %" for name in USAGE), "cores")


def core_map(plan: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Of each net of a plan, in the order of `names`: its cores and chips, and the layers that take some.

    All of it is an estimate, made before the chip's own compiler sees the net.
    """
    return {
        "schema": 1,
        "estimate": True,
        "nets": [
            {
                "name": name,
                "cores": net["cores"],
                "chips": net["chips"],
                "latency_steps": net["latency"],
                "layers": [
                    {key: layer.get(key) for key in ("name", "type", "where", "shape", "tile", "usage", "cores")}
                    for layer in net["layers"]
                    if layer.get("cores")
                ],
            }
            for name, net in zip(names, plan["nets"], strict=True)
        ],
    }


def core_text(found: Mapping[str, Any]) -> str:
    """The same as a table a net; tiles are columns x rows x channels, of a dense layer outputs. Shares are those of what a core
    with a whole tile has, axons in the memory of synapses."""
    blocks = []
    for net in found["nets"]:
        rows = [list(COLUMNS)]
        for layer in net["layers"]:
            shape, tile = ("x".join(map(str, layer[key] or ())) for key in ("shape", "tile"))
            full = layer["usage"] or {}
            shares = [f"{full[name]:.2f}" if name in full else "" for name in USAGE]
            rows.append([str(layer["name"]), str(layer["where"] or ""), shape, tile, *shares, str(layer["cores"])])
        rows.append(["total", *[""] * (len(COLUMNS) - 2), str(net["cores"])])
        widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
        title = f"{net['name']}: ~{net['cores']} cores on ~{net['chips']} chips, {net['latency_steps']} steps a frame"
        blocks.append("\n".join([title, *(_line(row, widths) for row in rows)]))
    return "\n\n".join(blocks) + "\n"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = zip(row, widths, range(len(row)), strict=True)
    return "  ".join(cell.ljust(width) if i < WORDS else cell.rjust(width) for cell, width, i in cells).rstrip()

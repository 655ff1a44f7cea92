"""Rows of layer tables: those of a report beside those that were measured on the reference's modules (facts/layers/*.csv)."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

KINDS = {
    "Conv2d": "conv", "Conv": "conv", "Conv2D": "conv", "DepthwiseConv2D": "conv", "Linear": "linear", "Dense": "linear",
    "BatchNorm2d": "bn", "BatchNormalization": "bn",
}  # fmt: skip
"""Types in the tables that have a row of weights in a report. What neurons and unpooling hold has none there."""

Row = dict[str, Any]


def measured(path: Path) -> list[Row]:
    """The conv, linear and bn rows of a table. Keras writes 4 values a BN channel (2 of them moving), `same` for a padding,
    channels last and no groups; lava a third axis for time."""
    with path.open(newline="") as file:
        return [_row(row) for row in csv.DictReader(file) if row["type"] in KINDS]


def _row(row: dict[str, str]) -> Row:
    kind, keras = KINDS[row["type"]], "None" in row["in_shape"]
    shapes = [json.loads(row[key].replace("None", "null"))[1:] for key in ("in_shape", "out_shape")]
    if keras:
        shapes = [[*shape[-1:], *shape[:-1]] for shape in shapes]
    elif kind != "linear":
        shapes = [shape[:3] for shape in shapes]
    params = int(row["params"]) // 2 if keras and kind == "bn" else int(row["params"])
    done: Row = {"op": kind, "in_shape": shapes[0], "out_shape": shapes[1], "params": params, "macs": int(row["macs"])}
    if kind != "bn":
        done["bias"] = row["bias"] == "True"
    if kind == "conv":
        done |= {"kernel": _pair(row["kernel"]), "stride": _pair(row["stride"])}
        if not keras:
            done |= {"padding": _pair(row["padding"]), "groups": int(row["groups"])}
    return done


def _pair(text: str) -> list[int]:
    """`(3, 3, 1)` and `3` as [3, 3]."""
    numbers = [int(n) for n in text.strip("()").split(",")]
    return (numbers * 2)[:2] if len(numbers) == 1 else numbers[:2]


def reported(layers: list[Row], like: list[Row]) -> list[Row]:
    """The same rows of a report, with the columns that the measured ones of their kind have."""
    columns = {row["op"]: list(row) for row in like}
    return [{key: row[key] for key in columns[row["op"]]} for row in layers if row["op"] in columns]


def in_any_order(rows: list[Row]) -> list[str]:
    """Keras lists layers by their depth in the graph, which is no order of execution."""
    return sorted(json.dumps(row, sort_keys=True) for row in rows)

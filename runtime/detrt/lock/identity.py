"""What makes a model the model that it is: the part of its description that a checkpoint depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_RESIZE = {"mode": "stretch", "interpolation": "bilinear", "pad": 114, "place": "center"}
_YOUNGER_OF_INPUT: dict[str, Any] = {"steps": None, "resize": _RESIZE}
_YOUNGER_OF_HEAD: dict[str, Any] = {"soft": "none"}
_YOUNGER_OF_OPS: dict[str, dict[str, Any]] = {
    "input": {
        "steps": None, "offset": 0.0, "resize": "stretch", "interpolation": "bilinear", "pad": 114, "place": "center",
    },
    "conv": {"gain": 1.0, "weight_norm": False, "end": [0, 0]},
    "maxpool": {"end": [0, 0]},
}  # fmt: skip
"""Keys that are younger than the first checkpoints, with the values that say nothing: those checkpoints stay good."""


def model_sha256(model: Mapping[str, Any]) -> str:
    """sha256 over a model of the lock: its nodes, input, outputs and the structure of its heads; where things stand in the
    spec does not count.
    """
    plain: dict[str, Any] = _without_spans(model)
    if plain.get("derived") is None:
        plain.pop("derived", None)
    plain["input"] = _said(plain["input"], _YOUNGER_OF_INPUT)
    for head in plain["heads"]:
        head["options"] = _said(head["options"], _YOUNGER_OF_HEAD)
        head["options"].pop("image", None)  # it is the size of the input
    for node in plain["nodes"]:
        node["attributes"] = _said(node["attributes"], _YOUNGER_OF_OPS.get(node["op"], {}))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _said(entries: Mapping[str, Any], silent: Mapping[str, Any]) -> dict[str, Any]:
    """The entries without those that are as `silent` has them."""
    return {key: value for key, value in entries.items() if key not in silent or silent[key] != value}


def _without_spans(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_spans(item) for key, item in value.items() if key not in ("span", "raw")}
    if isinstance(value, list):
        return [_without_spans(item) for item in value]
    return value

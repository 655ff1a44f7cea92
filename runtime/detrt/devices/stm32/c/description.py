"""network.json of the folder c/: what the C code is made of, for the programs that measure it.

{"schema": 1, "name", "target", "series": ST's word for its family ("stm32h7"), "" if there is none,
 "layers": [{"name", "function", "kernel", "macs", "output": [height, width, channels]}],
 "pools": [{"name", "used", "bytes"}], "arena": bytes, "constants": bytes, "input": bytes,
 "macs": {"dense", "separable", "inverted"}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detrt.devices.stm32.c.layers import Layer, Network
from detrt.devices.stm32.program import Conv, Depthwise, Step
from detrt.errors import DetrtError

SCHEMA = 1
NAME = "network.json"
KINDS = ("dense", "separable", "inverted")
LAYER_WORDS = ("name", "function", "kernel")
LARGEST = 1 << 40
"""No count of a microcontroller's network comes near it."""


def description(network: Network) -> str:
    """The text of network.json."""
    said = {
        "schema": SCHEMA,
        "name": network.program.name,
        "target": network.target,
        "series": network.series,
        "layers": [
            {
                "name": slot.name,
                "function": f"run_{slot.c_name}",
                "kernel": slot.kernel,
                "macs": slot.macs,
                "output": list(network.program.tensors[slot.last.step.output].shape),
            }
            for slot in network.slots
        ],
        "pools": [{"name": pool.name, "used": pool.used, "bytes": pool.capacity} for pool in network.arena.pools],
        "arena": network.arena.bytes,
        "constants": network.constant_bytes,
        "input": network.input.bytes,
        "macs": macs_by_kind(network.layers),
    }
    return json.dumps(said, indent=1, ensure_ascii=True) + "\n"


def read_description(folder: Path) -> dict[str, Any]:
    """network.json of a folder c/. Raises DetrtError where it is missing or of another schema."""
    path = folder / NAME
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DetrtError("there is no C code here", folder, "export the model again: detc export") from error
    except (OSError, ValueError) as error:
        raise DetrtError(f"cannot be read: {error}", path) from error
    if not isinstance(said, dict) or said.get("schema") != SCHEMA:
        raise DetrtError(f"is not of schema {SCHEMA}", path, "export the model again: detc export")
    if not _well_formed(said):
        raise DetrtError("is damaged: it is not what an export writes", path, "export the model again: detc export")
    return said


def _well_formed(said: Mapping[str, Any]) -> bool:
    layers, pools, macs = said.get("layers"), said.get("pools"), said.get("macs")
    if not (
        isinstance(layers, list) and isinstance(pools, list) and isinstance(macs, dict) and set(macs) == set(KINDS)
    ):
        return False
    words = [said.get("name"), said.get("target"), said.get("series")]
    numbers = [said.get("arena"), said.get("constants"), said.get("input"), *macs.values()]
    for entry, own, counts in [(layer, LAYER_WORDS, ("macs",)) for layer in layers] + [
        (pool, ("name",), ("used", "bytes")) for pool in pools
    ]:
        if not isinstance(entry, dict):
            return False
        words += [entry.get(key) for key in own]
        numbers += [entry.get(key) for key in counts]
    return all(isinstance(word, str) for word in words) and all(
        isinstance(number, int) and 0 <= number < LARGEST for number in numbers
    )


def macs_by_kind(layers: tuple[Layer, ...]) -> dict[str, int]:
    """Products by the kinds that the cores' `cycles` tell apart.

    A depthwise conv and the 1x1 convs behind it are separable; where a 1x1 conv widens the map before it and one narrows it
    behind, all of them are inverted (residuals). All else is dense.
    """
    makers = {layer.step.output: layer for layer in layers}
    kinds: dict[str, str] = {}
    for layer in layers:
        step = layer.step
        if not isinstance(step, Depthwise):
            continue
        before = makers.get(step.inputs[0])
        behind = [user for user in layers if step.output in user.step.inputs and _pointwise(user.step)]
        narrowed = any(_growth(user.step) < 1 for user in behind)
        if before is not None and _pointwise(before.step) and _growth(before.step) > 1 and narrowed:
            kinds |= {one.step.name: "inverted" for one in (before, layer, *behind)}
        else:
            kinds |= {one.step.name: "separable" for one in (layer, *behind) if one.step.name not in kinds}
    found = dict.fromkeys(KINDS, 0)
    for layer in layers:
        found[kinds.get(layer.step.name, "dense")] += layer.call.macs
    return found


def _pointwise(step: Step) -> bool:
    return isinstance(step, Conv) and step.weight.shape[1:3] == (1, 1)


def _growth(step: Step) -> float:
    """Channels that a pointwise convolution gives for each that it reads."""
    assert isinstance(step, Conv)
    return len(step.weight) / float(step.weight.shape[3] * step.groups)

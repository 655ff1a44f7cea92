"""Whose code trains a stage in time: lava-dl's blocks where it is installed, else detrt's own forward, which is equal."""

from __future__ import annotations

from importlib.metadata import version
from typing import NamedTuple

from torch import nn

from detrt.devices.loihi2.shim import has_slayer
from detrt.devices.loihi2.slayer_engine import engine_of
from detrt.devices.loihi2.stages import EventsNet
from detrt.errors import DetrtError

OWN = "detrt"


class Chosen(NamedTuple):
    """The engine for the record, and a sentence for the terminal."""

    name: str
    why: str


def choose_engine(model: nn.Module, wanted: str, module: str | None) -> Chosen | None:
    """Has `model`, if it was prepared to run in time, trained by `wanted`: auto, lava or detrt. None for other models.

    `module` is the project's module of nets in lava-dl's blocks. DetrtError where lava is wanted and cannot be had.
    """
    if not isinstance(model, EventsNet):
        return None
    hindrance = "" if wanted == OWN else _hindrance(model, module)
    if hindrance and wanted == "auto":
        return Chosen(OWN, f"runs in time in detrt's own forward: {hindrance}")
    if hindrance:
        raise DetrtError(
            f"lava-dl cannot train this model here: {hindrance}", remedy="--engine detrt trains it all the same"
        )
    if wanted == OWN:
        return Chosen(OWN, "runs in time in detrt's own forward")
    assert module is not None
    model.engine = engine_of(module)
    name = f"lava-dl {version('lava-dl')}"
    return Chosen(name, f"runs in time through the blocks of {name}")


def _hindrance(model: EventsNet, module: str | None) -> str:
    """Why lava-dl cannot train the model here; nothing where it can."""
    if model.as_chip:
        return "`quantize events = chip` trains the chip's form, which lava-dl's blocks have not"
    if not has_slayer():
        return "lava-dl is not installed here (`detc env loihi2` makes an environment with it)"
    if module is None:
        return "the project has no slayer_net.py"
    tensors = model.tensors()
    for label, layer in model.layers().items():
        # lava-dl 0.6.0, slayer/axon/delta.py: its backward subtracts them along the wrong axes.
        if layer.neuron is not None and len(tensors[f"{layer.neuron.module}.threshold"]) > 1:
            return f"`{label}` has a threshold for each channel, which lava-dl has no gradient for"
    return ""

"""A `.net` file as the text of a spec and its weights, whose export is the same file again."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING

from detc.codegen.det import Unwritable, det_name, plain_spec
from detc.diagnostics import Finding
from detc.importers.net.reader import FAULT, read_layers
from detc.importers.network.drawing import Drawing, Lazy
from detc.importers.network.finishing import FULL, ORDERS, finish
from detc.importers.network.heads import Outputs
from detc.importers.network.importing import TOLD, Imported
from detc.importers.network.translating import UNSUPPORTED
from detc.importers.network.values import Untranslatable
from detc.importers.unreadable import short
from detc.ir.ops.source import Input
from detc.semantics.program import Model

if TYPE_CHECKING:
    from detc.importers.network.values import Array
    from detrt.devices.loihi2.netlayers import NetLayer

SCALE = 64
"""Weights, biases and thresholds of the file are stored times this (lava-dl, slayer)."""
STEPS = 32
"""Frames of a clip, which the file does not say: lava-dl's detectors are trained with so many."""
DECAY = 4096
"""Decays of spiking neurons are."""
WEIGHTS = ("fixed", 8, SCALE)
BIASES = range(-254, 257, 2)
"""What the mean of 8 bits stands for: a bias is its negative."""


def import_net(path: Path, outputs: Sequence[str] = (), name: str = "") -> Imported | list[Finding]:
    """The network in `path` as a spec whose model is called `name`, up to the layer that `outputs` names (such as 7 or layer/7).
    Findings where it cannot be read or has no counterpart here."""
    read = read_layers(path)
    layers = [layer for layer in read if not isinstance(layer, Finding)]
    if len(layers) != len(read):
        return [finding for finding in read if isinstance(finding, Finding)]
    faults = [FAULT(None, actual=place, path=short(path.name), message=told) for place, told in _unfit(layers)]
    if faults:
        return faults
    name = det_name(name or path.stem)
    notes = ["the file does not say how pictures are encoded: RGB divided by 255 is taken for granted"]
    notes.append("the file has no head: what comes out are numbers until the model of the spec gets one")
    try:
        layers = layers[: _last(layers, outputs) + 1]
        drawing = Drawing((0, 1, 2))
        picture = _picture(drawing, layers[0], notes)
        last = 0 if len(layers[0].shape) == 3 else drawing.add("flatten", 0)
        for layer in layers:
            last = _draw(drawing, layer, last)
        finished = finish(drawing, Outputs({"y": (last,)}), name, picture)
        about = [f"{name}: made from {short(path.name)} by `detc import`; its layers have the names of its weights."]
        text = plain_spec(Model(name, "detector", finished.graph, []), about)
    except (Untranslatable, Unwritable) as error:
        return [
            UNSUPPORTED(
                None, count="what the file gives", have="has", actual=str(error), remedy="see `detc explain IMP207`"
            )
        ]
    told = [TOLD(None, actual=note) for note in notes]
    return Imported(name, text, None, finished.graph, finished.weights, {}, told)


def _unfit(layers: Sequence[NetLayer]) -> list[tuple[str, str]]:
    """(place, what is wrong) of biases that no mean of 8 bits gives."""
    found = []
    for layer in layers[1:]:
        if layer.bias is None:
            continue
        odd = [bias for bias in layer.bias.tolist() if bias not in BIASES]
        if odd:
            told = f"has {len(odd):,} numbers, such as {odd[0]}, that are not even in {BIASES[0]} .. {BIASES[-1]}"
            found.append((f"{layer.place}/bias", told))
    return found


def _last(layers: Sequence[NetLayer], outputs: Sequence[str]) -> int:
    """The number of the layer that is the output. Raises Untranslatable for names of others."""
    if not outputs:
        return len(layers) - 1
    places = {layer.place.removeprefix("layer/"): number for number, layer in enumerate(layers) if number}
    if len(outputs) > 1 or outputs[0].removeprefix("layer/") not in places:
        raise Untranslatable(
            f"no layer `{short(', '.join(outputs))}` to end with: layer/1 .. layer/{len(layers) - 1}, one of them"
        )
    return places[outputs[0].removeprefix("layer/")]


def _picture(drawing: Drawing, layer: NetLayer, notes: list[str]) -> Input:
    """How pictures enter; a vector as the map of one channel that is most like a square. Raises Untranslatable."""
    shape = layer.shape
    if len(shape) == 1:
        rows = next(side for side in range(isqrt(shape[0]), 0, -1) if shape[0] % side == 0)
        shape = (1, rows, shape[0] // rows)
        notes.append(
            f"the file reads a vector of {layer.shape[0]:,} numbers: taken as pictures of {shape[2]}x{shape[1]} in grey"
        )
    if layer.weight is not None or layer.bias is not None:
        notes.append(
            "the file scales its input before it is encoded: put that into `frames(mean = .., std = ..)` of the spec"
        )
    drawing.input((shape[0], shape[1], shape[2]), "")
    if shape[0] == 2:
        notes[0] = "the file reads two channels: taken as counts of an event camera"
        return Input(shape, "f32", order="events", steps=STEPS)
    if shape[0] not in ORDERS:
        raise Untranslatable(f"an input of {shape[0]} channels; pictures have 1, 3 or 4, events 2")
    return Input(shape, order=ORDERS[shape[0]], scale=FULL, steps=STEPS)


def _draw(drawing: Drawing, layer: NetLayer, last: int) -> int:
    """The nodes of a layer behind node `last`; the last of them."""
    if layer.type == "flatten":
        return drawing.add("flatten", last)
    if layer.type == "conv":
        assert layer.weight is not None  # as the reader has checked
        outputs, _, rows, columns = layer.weight.shape
        last = drawing.add(
            "conv", last, channels=outputs, k=(rows, columns), s=layer.stride, pad=layer.pad, dilation=layer.dilation,
            groups=layer.groups, bias=False, weights=WEIGHTS,
        )  # fmt: skip
    elif layer.type == "dense":
        last = drawing.add("linear", last, features=layer.shape[0], bias=False, weights=WEIGHTS)
    if layer.type != "input":
        drawing.drafts[last].weights["weight"] = _over(layer.weight, SCALE)
    return _neurons(drawing, layer, last)


def _neurons(drawing: Drawing, layer: NetLayer, last: int) -> int:
    neuron = layer.neuron
    assert neuron is not None
    if neuron.sigma:
        return drawing.add("neuron.sigma", last)
    threshold = neuron.vth / SCALE
    norm = "mean_only_batch" if layer.bias is not None and layer.type != "input" else None
    if neuron.kind != "SDNN":
        decays = (neuron.current_decay / DECAY, neuron.voltage_decay / DECAY)
        last = drawing.add(
            "neuron.cuba", last, threshold=threshold, current_decay=decays[0], voltage_decay=decays[1], norm=norm
        )
    elif layer.type == "input":
        last = drawing.add("neuron.encode", last, threshold=threshold)
    else:
        last = drawing.add(
            "neuron.sigma_delta", last, threshold=threshold, activation="relu", norm=norm, delay=layer.delay
        )
    weights = drawing.drafts[last].weights
    if neuron.kind == "SDNN":
        weights["threshold"] = lambda: _array([threshold])
    if norm:
        weights["norm.running_mean"] = _over(layer.bias, -SCALE)
    return last


def _over(values: Array | None, scale: int) -> Lazy:
    def read() -> Array:
        import numpy as np

        return np.asarray(values, np.float32) / np.float32(scale)

    return read


def _array(values: Sequence[float]) -> Array:
    import numpy as np

    return np.array(values, np.float32)

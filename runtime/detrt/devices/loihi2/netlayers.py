"""The layers of a `.net` file as they stand there, each checked alone and against the one before it.

The schema is lava-dl's (0.6.0, slayer/block/base.py export_hdf5 writes it, netx/hdf5.py reads it): groups layer/0, layer/1, ..,
a chain in that order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detrt.devices.loihi2.hdf5 import Problem, Reader, opened
from detrt.devices.loihi2.network import Conv, Ints, Shape

MOST_LAYERS = 1000
LONGEST_SIDE = 1 << 16
MOST_NEURONS = 1 << 26
"""Of one layer."""
LOWEST, HIGHEST = -256, 254
"""8 bit weights in even steps, as 64 * q8 gives them and netx's optimize_weight_bits clips them."""
LARGEST_BIAS = (1 << 15) - 1
LARGEST_THRESHOLD = (1 << 17) - 1
MOST_DELAY = 62
DECAY = 4096
"""The decays of a CUBA neuron are stored times this."""

TYPES = ("input", "conv", "dense", "flatten")
UNBUILT = ("pool", "convT", "unpool", "average", "concat", "dense_rec", "dense_comp", "affine")


@dataclass(frozen=True, slots=True)
class Neuron:
    """`vth` is the threshold times 64; `sigma` neurons only add up. A CUBA neuron has its decays times 4096."""

    kind: str
    vth: int
    sigma: bool = False
    current_decay: int = 0
    voltage_decay: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class NetLayer:
    """`shape` [C, H, W] or [n] behind the layer. `weight` [O, I / groups, kh, kw] of a conv, [out, in] of a dense layer; an
    input's `weight` and `bias`, one number each, are what the host does to values before."""

    place: str
    type: str
    shape: Shape
    neuron: Neuron | None = None
    weight: Ints | None = None
    bias: Ints | None = None
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    delay: int = 0


def look_at(path: Path) -> tuple[list[NetLayer], list[Problem]]:
    """The layers of a `.net` file that can be read, and all that is wrong. ArtifactError if it is no HDF5 file at all."""
    reader = Reader()
    with opened(path) as file:
        return _read_layers(file, reader), reader.problems


def _read_layers(file: Any, reader: Reader) -> list[NetLayer]:
    """The layers of an opened file that could be read; what is wrong with any is written down in `reader`."""
    root = reader.child(file, "layer", "group")
    if root is None:
        if not reader.problems:
            reader.tell("layer", "is missing: the file holds no network")
        return []
    names = set(reader.names(root, MOST_LAYERS))
    wanted = {str(i) for i in range(len(names))}
    if not names or names != wanted or len(names) > MOST_LAYERS:
        odd, lacking = (", ".join(sorted(each)[:3]) for each in (names - wanted, wanted - names))
        told = f": `{lacking}` is missing, `{odd}` is there" if odd else ""
        reader.tell("layer", f"has {len(names)} entries; a network numbers its layers 0, 1, 2, .. without a gap{told}")
        return []
    found: list[NetLayer] = []
    before: NetLayer | None = None
    whole = True
    for i in range(len(names)):
        count = len(reader.problems)
        layer = _layer(root, i, before if whole else None, reader)
        whole = layer is not None and len(reader.problems) == count
        if layer is not None:
            before = layer
            found.append(layer)
    _check_ends(found, reader)
    return found


def _check_ends(layers: list[NetLayer], reader: Reader) -> None:
    for i, layer in enumerate(layers):
        if layer.neuron is not None and layer.neuron.sigma:
            if i != len(layers) - 1:
                reader.tell(layer.place, "is read out (sigma_output), but more layers follow")
            if layer.bias is not None:
                reader.tell(f"{layer.place}/bias", "a layer that is read out has no bias")


def _layer(root: Any, number: int, before: NetLayer | None, reader: Reader) -> NetLayer | None:
    group = reader.child(root, str(number), "group")
    if group is None:
        return None
    place = f"layer/{number}"
    kind = reader.word(group, "type")
    if kind is None:
        return None
    if kind not in TYPES:
        known = "netx cannot build it; use a convolution with a stride, or one chain" if kind in UNBUILT else "unknown"
        reader.tell(f"{place}/type", f"is `{kind}`: {known}")
        return None
    if (kind == "input") != (number == 0):
        reader.tell(place, "a network has one input, its layer 0")
    shape = reader.wholes(group, "shape", (1, 3), 1, MOST_NEURONS)
    if shape is None:
        return None
    if max(shape[1:], default=1) > LONGEST_SIDE or math.prod(shape) > MOST_NEURONS:
        reader.tell(f"{place}/shape", f"{shape} is more than {MOST_NEURONS:,} neurons or {LONGEST_SIDE:,} a side")
        return None
    if kind in ("dense", "flatten") and shape[1:] in ((1, 1), ()):
        shape = shape[:1]
    delay = _delay(group, reader)
    if kind == "flatten":
        return _fits(NetLayer(place, kind, shape), before, reader)
    neuron = _neuron(group, kind, reader)
    if neuron is None:
        return None
    if kind == "input":
        scaling = (reader.integers(group, key, -LARGEST_BIAS, LARGEST_BIAS) for key in ("weight", "bias"))
        factor, summand = (_one(values, place, reader) for values in scaling)
        return NetLayer(place, kind, shape, neuron, factor, summand)
    moves = {} if kind == "dense" else _moves(group, reader)
    bias = reader.integers(group, "bias", -LARGEST_BIAS, LARGEST_BIAS)
    weight = reader.integers(group, "weight", LOWEST, HIGHEST)
    if weight is None:
        if not reader.has(group, "weight"):
            reader.tell(f"{place}/weight", "is missing")
        return None
    if (weight % 2).any():
        count = int((weight % 2).sum())
        reader.tell(
            f"{place}/weight", f"has {count:,} odd numbers of {weight.size:,}; weights of 8 bits go in steps of 2"
        )
    if moves is None:
        return None
    made = NetLayer(place, kind, shape, neuron, _plain(weight, kind), bias, delay=delay or 0, **moves)
    return _fits(made, before, reader)


def _one(values: Ints | None, place: str, reader: Reader) -> Ints | None:
    if values is not None and values.size != 1:
        reader.tell(place, f"scales its values by {values.size:,} numbers; one weight and one bias serve all")
        return None
    return None if values is None else values.reshape(1)


def _plain(weight: Ints, kind: str) -> Ints:
    """Without the axes of one place that slayer's synapses have behind theirs."""
    axes = 4 if kind == "conv" else 2
    while weight.ndim > axes and weight.shape[-1] == 1:
        weight = weight[..., 0]
    return weight


def _moves(group: Any, reader: Reader) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for name, key, low in (("stride", "stride", 1), ("padding", "pad", 0), ("dilation", "dilation", 1)):
        numbers = reader.wholes(group, name, (1, 2), low, LONGEST_SIDE)
        if numbers is not None:
            found[key] = (numbers[0], numbers[-1])
    found["groups"] = reader.whole(group, "groups", 1, LONGEST_SIDE)
    return found if len(found) == 4 and found["groups"] is not None else None


def _delay(group: Any, reader: Reader) -> int | None:
    """Steps by which all messages of the layer are held back."""
    delays = reader.integers(group, "delay", 0, MOST_DELAY)
    if delays is None:
        return None
    if delays.min() != delays.max():
        reader.tell(
            f"{group.name.strip('/')}/delay", "differs from neuron to neuron; one delay for a layer is possible"
        )
    return int(delays.max())


def _neuron(group: Any, kind: str, reader: Reader) -> Neuron | None:
    inner = reader.child(group, "neuron", "group")
    place = f"{group.name.strip('/')}/neuron"
    if inner is None:
        if not reader.has(group, "neuron"):
            reader.tell(place, "is missing: there is no saying what the layer's neurons do")
        return None
    if reader.has(inner, "messageBits"):
        reader.tell(f"{place}/messageBits", "stops netx from building the network; leave it out")
    name = reader.word(inner, "type")
    if name is None:
        return None
    if name == "SDNN" and reader.has(inner, "sigma_output") and kind != "input":
        return Neuron("SDNN", 0, sigma=True)
    if name not in ("SDNN", "CUBA", "LOIHI"):
        reader.tell(f"{place}/type", f"is `{name}`; SDNN (sigma-delta) and CUBA are read")
        return None
    vth = reader.whole(inner, "vThMant", 1, LARGEST_THRESHOLD)
    if vth is None:
        return None
    if name == "SDNN":
        activation = reader.word(inner, "activation") if reader.has(inner, "activation") else "relu"
        if activation not in ("relu", None) and kind != "input":
            reader.tell(f"{place}/activation", f"is `{activation}`, and netx always computes relu")
        return Neuron("SDNN", vth)
    current = reader.whole(inner, "iDecay", 0, DECAY)
    voltage = reader.whole(inner, "vDecay", 0, DECAY)
    reader.whole(inner, "refDelay", 1, 1, 1)
    reader.whole(inner, "gradedSpike", 0, 0, 0)
    if current is None or voltage is None:
        return None
    return Neuron("CUBA", vth, current_decay=current, voltage_decay=voltage)


def _fits(layer: NetLayer, before: NetLayer | None, reader: Reader) -> NetLayer:
    """Tells where a layer does not fit itself or the one before it."""
    weight = layer.weight
    if weight is not None:
        axes = 4 if layer.type == "conv" else 2
        if weight.ndim != axes or len(weight) != layer.shape[0]:
            told = f"has the shape {weight.shape}; {layer.shape[0]} outputs and {axes} axes are expected"
            reader.tell(f"{layer.place}/weight", told)
            return layer
    if layer.bias is not None and layer.bias.shape != layer.shape[:1]:
        reader.tell(f"{layer.place}/bias", f"has the shape {layer.bias.shape}, not {layer.shape[:1]}: one a channel")
    if before is None:
        return layer
    wanted = _shape_behind(layer, before.shape, reader)
    if wanted is not None and wanted != layer.shape:
        reader.tell(f"{layer.place}/shape", f"is {layer.shape}, and the layer makes {wanted} of {before.shape}")
    return layer


def _shape_behind(layer: NetLayer, shape: Shape, reader: Reader) -> Shape | None:
    if layer.type == "flatten":
        return (math.prod(shape),)
    weight = layer.weight
    assert weight is not None  # of what is neither input nor flatten
    if layer.type == "dense":
        if len(shape) != 1:
            reader.tell(layer.place, f"reads a map of {shape}: put a flatten before it")
        elif weight.shape[1] != shape[0]:
            reader.tell(f"{layer.place}/weight", f"has {weight.shape[1]} inputs, and {shape[0]} come")
        return None
    groups = layer.groups
    if len(shape) != 3 or weight.shape[1] * groups != shape[0] or len(weight) % groups:
        told = f"has {len(weight)} outputs and {weight.shape[1]} inputs in {groups} groups, and a map of {shape} comes"
        reader.tell(f"{layer.place}/weight", told)
        return None
    conv = Conv(weight, None, layer.stride, layer.pad, layer.dilation, groups, 1)
    return conv.out_shape(shape)

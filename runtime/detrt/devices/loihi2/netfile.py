"""`.net` files: the HDF5 exchange format of lava-dl, which netx loads on the CPU and on Loihi 2.

Keys, dtypes and shapes are those of lava-dl's own export (0.6.0, slayer/block/base.py and
object_detection/models/yolo_kp.py), so a reader of the one reads the other.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detrt.devices.errors import ArtifactError
from detrt.devices.loihi2.hdf5 import Problem
from detrt.devices.loihi2.netlayers import NetLayer
from detrt.devices.loihi2.netprocess import look_at_apart
from detrt.devices.loihi2.network import Conv, Dense, Flatten, Input, Layer, Network, Shape

MOST_TOLD = 20
"""Mistakes that are told one by one."""


def write_net(network: Network, path: Path) -> None:
    """Writes a network, whole or not at all: the same bytes each time. ArtifactError for want of space or rights.

    The file is a new one that takes the name at the end, so one that a running netx holds open stays as it was.
    """
    import h5py

    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        with h5py.File(name, "w", libver="earliest") as file:
            root = file.create_group("layer")
            for i, (layer, shape) in enumerate(zip(network.layers, network.shapes, strict=True)):
                _write(root.create_group(str(i)), layer, shape)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        raise ArtifactError(f"cannot be written: {error.strerror or error}", path) from error
    finally:
        Path(name).unlink(missing_ok=True)


def _write(group: Any, layer: Layer, shape: Shape) -> None:
    kind = {Input: b"input", Conv: b"conv", Dense: b"dense", Flatten: b"flatten"}[type(layer)]
    group.create_dataset("type", (1,), "S10", [kind])
    group["shape"] = np.array((*shape, 1, 1) if isinstance(layer, Flatten) else shape, np.int64)
    if isinstance(layer, Flatten):
        return
    if isinstance(layer, Input):
        for key, number in (("weight", layer.weight), ("bias", layer.bias)):
            if number is not None:
                group[key] = np.array([number], np.float32)
    elif isinstance(layer, Conv):
        outputs, inputs, *kernel = layer.weight.shape
        group["inChannels"], group["outChannels"] = np.int64(inputs * layer.groups), np.int64(outputs)
        moves = (("kernelSize", kernel), ("stride", layer.stride), ("padding", layer.pad), ("dilation", layer.dilation))
        for key, pair in moves:
            group[key] = np.array(pair, np.int64)
        group["groups"] = np.int64(layer.groups)
        weight = layer.weight.astype(np.float32)
        group["weight"] = weight[..., None] if layer.sigma else weight  # the head of yolo_kp has an axis for time
    else:
        group["inFeatures"], group["outFeatures"] = np.int64(layer.weight.shape[1]), np.int64(len(layer.weight))
        group["weight"] = layer.weight.astype(np.float32)
    if isinstance(layer, Conv | Dense):
        if layer.bias is not None:
            group["bias"] = layer.bias.astype(np.float32)
        if layer.delay:
            group["delay"] = np.full(len(layer.weight), layer.delay, np.float32)
    group["neuron/type"] = "SDNN"
    if isinstance(layer, Conv | Dense) and layer.sigma:
        group["neuron/sigma_output"] = True
    else:
        group["neuron/activation"], group["neuron/vThMant"] = "relu", np.int64(layer.vth)


def read_net(path: Path) -> Network:
    """The network of a `.net` file. ArtifactError names everything that is wrong with it, each by its place in the file, also
    spiking (CUBA) neurons, which the simulator has not.
    """
    return network_of(*look_at_apart(path), path)


def network_of(layers: Sequence[NetLayer], problems: Sequence[Problem], path: Path) -> Network:
    """The network of layers as `look_at` gives them. ArtifactError as by `read_net`."""
    spiking = [
        Problem(f"{layer.place}/neuron/type", "is CUBA: the simulator runs sigma-delta neurons (SDNN)")
        for layer in layers
        if layer.neuron is not None and layer.neuron.kind != "SDNN"
    ]
    told = [str(problem) for problem in (*problems, *spiking)]
    if told:
        more = [f"and {len(told) - MOST_TOLD} more"] if len(told) > MOST_TOLD else []
        raise ArtifactError("is no network that netx runs\n  " + "\n  ".join([*told[:MOST_TOLD], *more]), path)
    return Network(tuple(_made(layer) for layer in layers))


def _made(layer: NetLayer) -> Layer:
    neuron, weight = layer.neuron, layer.weight
    if layer.type == "flatten":
        return Flatten()
    assert neuron is not None  # as `read_layers` has checked
    if layer.type == "input":
        return Input(layer.shape, neuron.vth, *(None if x is None else int(x[0]) for x in (weight, layer.bias)))
    assert weight is not None
    if layer.type == "dense":
        return Dense(weight, layer.bias, neuron.vth, neuron.sigma, layer.delay)
    return Conv(
        weight,
        layer.bias,
        layer.stride,
        layer.pad,
        layer.dilation,
        layer.groups,
        neuron.vth,
        neuron.sigma,
        layer.delay,
    )

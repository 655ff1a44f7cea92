"""A trained checkpoint as the chip's network: batch norm folded, weights quantised, channels padded as the plan says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.devices.gti5801.arithmetic import Clipped, fuse_batch_norm, integers, quantize_layer
from detrt.devices.gti5801.chain import Link, Plan
from detrt.devices.gti5801.errors import DeviceError
from detrt.devices.gti5801.legality import check_network
from detrt.devices.gti5801.network import ChipNetwork, Major, Sublayer

State = Mapping[str, Any]
"""state_dict: names to torch tensors or numpy arrays."""


def _array(state: State, name: str) -> npt.NDArray[np.float32]:
    if name not in state:
        raise DeviceError(
            f"the checkpoint has no `{name}`: it belongs to another spec", remedy="train this spec, or build it again"
        )
    value = state[name]
    value = value.detach().cpu().float().numpy() if hasattr(value, "detach") else value
    return np.ascontiguousarray(value, dtype=np.float32)


def _effective(state: State, link: Link) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
    weight = _array(state, f"{link.conv}.weight")
    side = 1 if link.kind == "pointwise" else 3
    wanted = (link.out_channels, 1 if link.kind == "depthwise" else link.in_channels, side, side)
    if weight.shape != wanted:
        raise DeviceError(
            f"`{link.conv}.weight` has the shape {weight.shape}, the spec says {wanted}: another spec's checkpoint"
        )
    bias = _array(state, f"{link.conv}.bias") if f"{link.conv}.bias" in state else None
    if not link.norm:
        return weight, bias
    mean, var, gamma, beta = (
        _array(state, f"{link.norm}.{part}") for part in ("running_mean", "running_var", "weight", "bias")
    )
    weight, fused_bias = fuse_batch_norm(weight, bias, mean, var, gamma, beta, link.eps)
    return weight, fused_bias


def _sublayer(state: State, link: Link, flip_inputs: bool) -> tuple[Sublayer, Clipped]:
    weight, bias = _effective(state, link)
    try:
        layer = quantize_layer(weight, bias, link.bits)
    except ValueError as error:
        raise DeviceError(f"`{link.conv}`: {error}") from error
    whole = integers(layer.weight, layer.shift)
    if flip_inputs:
        whole = whole[:, ::-1]
    inputs = 1 if link.kind == "depthwise" else link.padded_in
    padded = np.zeros((link.padded_out, inputs, *whole.shape[2:]), np.int16)
    padded[: whole.shape[0], : whole.shape[1]] = whole
    padded_bias = np.zeros(link.padded_out, np.int32)
    if layer.bias is not None:
        padded_bias[: link.out_channels] = integers(layer.bias, layer.shift)
    return Sublayer(padded, padded_bias, layer.shift), layer.clipped


def network_from_checkpoint(plan: Plan, state: State, order: str = "bgr") -> tuple[ChipNetwork, dict[str, Clipped]]:
    """The network of a chip-stage checkpoint, checked, and by convolution what had to be clipped.

    The chip reads BGR; for a model trained on RGB (`order` = "rgb") the first layer's inputs are turned round instead.
    DeviceError names a key that is missing, has another shape or holds no finite numbers.
    """
    links = iter(plan.links)
    majors, found, first = [], {}, True
    for shape in plan.shapes:
        layers = []
        for _ in shape.kinds:
            link = next(links)
            layer, clipped = _sublayer(state, link, first and order == "rgb")
            first = False
            layers.append(layer)
            if clipped:
                found[link.conv] = clipped
        majors.append(Major(shape, tuple(layers)))
    network = ChipNetwork(tuple(majors), plan.sampling)
    check_network(network)
    return network, found

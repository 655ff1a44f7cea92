"""State dicts of lava-dl's blocks, told as those of detrt's layers are: a synapse before its neuron, maps without a time axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from torch import Tensor

from detrt.weights.found import Found

_PARTS = {
    "synapse.weight_g": "weight_g",
    "synapse.weight_v": "weight_v",
    "synapse.weight": "weight",
    "neuron.bias": "bias",
    "neuron.delta.threshold": "threshold",
    "neuron.norm.running_mean": "running_mean",
}
"""What a block of slayer.block.sigma_delta calls its tensors (lava-dl 0.6.0), in the order of detrt's layers, and their roles."""


def is_lava_dl(found: Found) -> bool:
    """Whether the source holds blocks of sigma-delta neurons as lava-dl names them."""
    return any(name.endswith(".neuron.delta.threshold") for name in found.tensors)


def as_layers(found: Found) -> Found:
    """The same tensors by the same names, block by block in the order of detrt's layers: weights [out, in, rows, columns] or
    [out, 1, 1, 1]. The mean of a block that no training has seen is one number there and one a channel here.
    """
    blocks: dict[str, dict[str, str]] = {}
    for name in found.tensors:
        part = next((part for part in _PARTS if name.endswith(f".{part}")), "")
        blocks.setdefault(name[: len(name) - len(part)] if part else name, {})[part] = name
    ordered = dict(_in_order(blocks, found.tensors))
    roles = {name: part for name in ordered for end, part in _PARTS.items() if name.endswith(f".{end}")}
    return replace(found, tensors=ordered, roles={name: role for name, role in roles.items() if role != "threshold"})


def _in_order(blocks: Mapping[str, Mapping[str, str]], tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for names in blocks.values():
        lengths = names.get("synapse.weight_g")
        for part in ("", *_PARTS):
            if part not in names:
                continue
            tensor = _still(tensors[names[part]])
            if part == "neuron.norm.running_mean" and lengths is not None and tensor.numel() == 1:
                tensor = tensor.expand(tensors[lengths].shape[0])
            yield names[part], tensor


def _still(tensor: Tensor) -> Tensor:
    """Without the axis of time, along which a kernel has one weight."""
    return tensor[..., 0] if tensor.dim() == 5 and tensor.shape[4] == 1 else tensor

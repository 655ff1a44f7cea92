"""What lava-dl calls the tensors of a sigma-delta net, and the shapes it keeps them in.

Its detectors hold their layers as `input_blocks`, `blocks` and `heads` (lava-dl 0.6.0, slayer/object_detection/models); so does
the slayer_net.py of a build. Weights have five axes there: [O, I / groups, kh, kw, 1], a dense layer's [O, I, 1, 1, 1].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from detrt.devices.loihi2.plan import LayerPlan, NetPlan, NeuronPlan, read_nets

AXES = 5
MARKS = ("synapse.weight_v", "synapse.weight_g", "synapse.weight")
"""How the names of a block's weights end."""


def slayer_names(net: NetPlan) -> dict[str, str]:
    """Names of the model's tensors -> those of lava-dl."""
    return dict(_names(net))


def placed(net: NetPlan) -> Iterator[tuple[LayerPlan, str]]:
    """The layers with the prefix of their block; the read-out's is that of its synapse."""
    number = 0
    for layer in net.layers:
        if layer.type == "input":
            yield layer, "input_blocks.0"
        elif layer.sigma:
            yield layer, "heads.0"
        else:
            yield layer, f"blocks.{number}"
            number += 1 + (layer.delay > 0)  # a delay is a member of its own


def _names(net: NetPlan) -> Iterator[tuple[str, str]]:
    for layer, block in placed(net):
        if layer.weighted:
            synapse = block if layer.sigma else f"{block}.synapse"
            for part in ("weight_g", "weight_v") if layer.weight_norm else ("weight",):
                yield f"{layer.module}.{part}", f"{synapse}.{part}"
        if layer.neuron is not None:
            yield from _of_neuron(layer.neuron, f"{block}.neuron")


def _of_neuron(neuron: NeuronPlan, name: str) -> Iterator[tuple[str, str]]:
    yield f"{neuron.module}.bias", f"{name}.bias"
    yield f"{neuron.module}.threshold", f"{name}.delta.threshold"
    if neuron.norm:
        yield f"{neuron.module}.norm.running_mean", f"{name}.norm.running_mean"


def to_slayer(net: NetPlan, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a model as a state_dict of lava-dl; views of the same numbers, so that gradients reach the model."""
    return {theirs: unsqueezed(theirs, tensors[ours]) for ours, theirs in _names(net)}


def unsqueezed(name: str, tensor: Tensor) -> Tensor:
    """A weight with lava-dl's axes; all else as it is."""
    if not _is_weight(name):
        return tensor
    return tensor.reshape(*tensor.shape, *[1] * (AXES - tensor.dim()))


def from_slayer(net: NetPlan, given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state_dict of lava-dl under the model's names, with as many axes as `own`, the model's tensors, have; what the net has no
    name for as it is.

    A running mean of lava-dl has one number until its first training step, which then stands for all channels.
    """
    names = {theirs: ours for ours, theirs in _names(net) if ours in own}
    return {names.get(name, name): _ours(name, given[name], own.get(names.get(name, ""))) for name in given}


def _ours(name: str, tensor: Tensor, own: Tensor | None) -> Tensor:
    if own is None:
        return tensor
    if _is_weight(name) and all(side == 1 for side in tensor.shape[own.dim() :]):
        return tensor.reshape(tensor.shape[: own.dim()])
    if not _is_weight(name) and tensor.numel() == 1 < own.numel():
        return tensor.reshape(1).expand(own.shape)
    return tensor


def translate(given: Mapping[str, Tensor], lock: Mapping[str, Any], own: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """`given`, if it is a state_dict of lava-dl's and the lock's plan is one net, by `from_slayer`; else as it is."""
    if not is_of_slayer(given) or not lock.get("plan"):
        return given
    nets = read_nets(lock)
    return from_slayer(nets[0], given, own) if len(nets) == 1 else given


def is_of_slayer(names: Mapping[str, object]) -> bool:
    """Whether names are those of lava-dl's sigma-delta detectors."""
    return any(name.startswith("blocks.") and name.endswith(MARKS) for name in names)


def _is_weight(name: str) -> bool:
    return name.rpartition(".")[2] in ("weight", "weight_g", "weight_v")

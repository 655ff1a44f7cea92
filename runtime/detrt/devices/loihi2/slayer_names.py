"""What lava-dl calls the tensors of a sigma-delta net, and the shapes it keeps them in.

Its detectors hold their layers as `input_blocks`, `blocks` and `heads` (lava-dl 0.6.0, slayer/object_detection/models); so does
the slayer_net.py of a build. Weights have five axes there: [O, I / groups, kh, kw, 1], a dense layer's [O, I, 1, 1, 1].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from detrt.devices.loihi2.plan import LayerPlan, NetPlan, NeuronPlan
from detrt.errors import DetrtError

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
    """The model's tensors, as many as `given`, a state_dict of lava-dl, has, in the shapes that `own` has them in.

    A running mean of lava-dl has one number until its first training step: 0 for all channels. DetrtError for a shape that is
    that of another net.
    """
    found = {}
    for ours, theirs in _names(net):
        if theirs not in given or ours not in own:
            continue
        tensor, wanted = given[theirs], own[ours].shape
        if tensor.shape != wanted and tensor.numel() == 1 and not _is_weight(theirs):
            tensor = tensor.reshape(1).expand(wanted)
        elif tensor.numel() == wanted.numel():
            tensor = tensor.reshape(wanted)
        if tensor.shape != wanted:
            raise DetrtError(
                f"`{theirs}` is {list(tensor.shape)} in the weights of lava-dl; `{ours}` is {list(wanted)} here",
                remedy="use the weights of a net of the same widths, or leave the part out with `load`",
            )
        found[ours] = tensor
    return found


def is_of_slayer(names: Mapping[str, object]) -> bool:
    """Whether names are those of lava-dl's sigma-delta detectors."""
    return any(name.startswith("blocks.") and name.endswith(MARKS) for name in names)


def _is_weight(name: str) -> bool:
    return name.rpartition(".")[2] in ("weight", "weight_g", "weight_v")

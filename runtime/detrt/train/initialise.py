"""Weights to begin with: kaiming, or scaled on real pictures so that every layer starts with outputs of unit spread."""

from __future__ import annotations

from collections.abc import Container, Iterable

import torch
from torch import Tensor, nn

from detrt.lock import Init, Model

_HEAD_SPREAD = 0.1
"""Standard deviation of a head's outputs after `convs = data`: targets of heads lie between 0 and 1."""


@torch.no_grad()
def initialise(
    model: nn.Module, lock: Model, options: Init, pictures: Iterable[Tensor], kept: Container[str] = ()
) -> None:
    """Initialises the convolutions and linear layers in place; layers whose spec says `init = ...` keep what their module
    set, and those named in `kept` what they have.

    `kaiming`: He's normal distribution, biases 0. `data`: then each channel's output is brought to mean 0 and deviation 1 on the
    first batch of `pictures`, layer by layer, as in "All you need is a good init" (Mishkin and Matas, 2016), here a channel at a
    time. `head_bias`: added to the bias of the last layer before each output, so that a
    ReLU behind it does not begin dead: after `data` it is the mean of the outputs.
    """
    modules = dict(model.named_modules())
    layers = {
        node.module or node.name: modules[node.module or node.name]
        for node in lock.nodes
        if not node.attributes.get("init")
        and (node.module or node.name) not in kept
        and isinstance(modules.get(node.module or node.name), nn.Conv2d | nn.Linear)
    }
    heads = {name for name in _last_layers(lock) if name in modules and name not in kept}
    for layer in layers.values():
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    if options.convs == "data":
        for inputs in pictures:
            _scale_on(model, layers, heads, inputs)
            break
    for name in heads:
        bias = getattr(modules[name], "bias", None)
        if options.head_bias is not None and bias is not None:
            bias.add_(options.head_bias)


def _last_layers(lock: Model) -> set[str]:
    """Modules with weights that no other such module stands behind, walking back from each output."""
    nodes = {node.name: node for node in lock.nodes}
    found: set[str] = set()
    waiting = [name for names in lock.outputs.values() for name in names]
    seen = set(waiting)
    while waiting:
        node = nodes.get(waiting.pop())
        if node is None:
            continue
        if node.op in ("conv", "linear", "depthwise"):
            found.add(node.module or node.name)
            continue
        waiting += [name for name in node.inputs if name not in seen]
        seen.update(node.inputs)
    return found


def _scale_on(model: nn.Module, layers: dict[str, nn.Module], heads: set[str], inputs: Tensor) -> None:
    """One forward pass in which each layer is corrected by its own output before the next one sees it."""

    def corrector(spread: float):  # type: ignore[no-untyped-def]
        def correct(layer: nn.Module, _: object, output: Tensor) -> Tensor:
            over = tuple(axis for axis in range(output.dim()) if axis != 1)
            shape = tuple(-1 if axis == 1 else 1 for axis in range(output.dim()))
            deviation = output.std(over).clamp_min(1e-6)
            mean = output.mean(over)
            factor = spread / deviation
            layer.weight.mul_(factor.reshape(-1, *[1] * (layer.weight.dim() - 1)))  # type: ignore[operator]
            if layer.bias is None:
                return output * factor.reshape(shape)
            layer.bias.sub_(mean).mul_(factor)  # type: ignore[operator]
            return (output - mean.reshape(shape)) * factor.reshape(shape)

        return correct

    training = model.training
    hooks = [
        layer.register_forward_hook(corrector(_HEAD_SPREAD if name in heads else 1.0)) for name, layer in layers.items()
    ]
    try:
        model.eval()(inputs)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()

"""lava-dl's own blocks on the nets of `loihi2_plans`: run by a Python with lava-dl, prints JSON.

`python loihi2_slayer.py MODE SEED ..`; MODE `train` or `eval` as lava-dl trains, `shift` as the chip runs. Outputs are whole
numbers of 2^-17; gradients are of the sum of outputs times `Nets.wanted`.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

import torch
from loihi2_plans import Nets
from torch import Tensor

from detrt.devices.loihi2.shim import import_slayer

slayer = import_slayer()
blocks, quantize = slayer.block.sigma_delta, import_module("lava.lib.dl.slayer.utils.quantize").quantize


def hook(weight: Tensor) -> Tensor:
    return quantize(weight, step=2 / 64).clamp(-256 / 64, 254 / 64)


def made(layer: dict[str, Any], state: dict[str, Tensor], shift: bool) -> torch.nn.Module:
    """slayer's block of a layer of the plan with the weights of `state`."""
    neuron = layer["neuron"]
    params: dict[str, Any] = {}
    if neuron:
        norm = slayer.neuron.norm.MeanOnlyBatchNorm if neuron["norm"] else None
        params = {
            "threshold": neuron["threshold"], "tau_grad": neuron["tau_grad"], "scale_grad": neuron["scale_grad"],
            "requires_grad": neuron["trainable"], "shared_param": True, "activation": torch.nn.functional.relu, "norm": norm,
        }  # fmt: skip
    if layer["type"] == "input":
        block = blocks.Input(params)
    elif layer["type"] == "flatten":
        return blocks.Flatten()
    else:
        sizes: list[Any] = [layer["in"], layer["out"]]
        options: dict[str, Any] = {"weight_norm": layer["weight_norm"]}
        if layer["type"] == "conv":
            sizes.append(tuple(layer["k"]))
            options |= {key: tuple(layer[key]) for key in ("stride", "dilation")}
            options |= {"padding": tuple(layer["pad"]), "groups": layer["groups"]}
        kind = {"conv": "Conv", "dense": "Dense"}[layer["type"]]
        if layer["sigma"]:
            synapse = block = getattr(slayer.synapse, kind)(*sizes, pre_hook_fx=hook, **options)
        else:
            block = getattr(blocks, kind)(params, *sizes, delay_shift=shift, **options)
            synapse = block.synapse
        for part in ("weight_v", "weight_g", "weight"):
            key = f"{layer['module']}.{part}"
            if key in state:
                parameter = getattr(synapse, part)
                parameter.data = state[key].reshape(parameter.shape)
    if neuron:
        threshold = state[f"{neuron['module']}.threshold"]
        if not neuron["trainable"]:
            threshold = torch.floor(threshold * 64) / 64  # as its constructor does with one number
        if not neuron["shared"]:
            threshold = threshold.reshape(-1, *[1] * (len(layer["shape"]) - 1))
        block.neuron.delta.threshold.data = threshold
        if neuron["norm"]:
            block.neuron.norm.running_mean = state[f"{neuron['module']}.norm.running_mean"].clone()
    return block


def run(mode: str, seed: int) -> dict[str, Any]:
    nets = Nets(seed, trainable=mode == "train" and seed % 2 == 0)
    plain = nets.clip()
    wanted = torch.from_numpy(nets.wanted(plain))
    state = {name: torch.from_numpy(value) for name, value in nets.state.items()}
    layers = nets.plan["layers"]
    net = [made(layer, state, mode == "shift") for layer in layers]
    clip = torch.from_numpy(plain)
    steps, latency = clip.shape[-1], sum(layer["type"] in ("conv", "dense") for layer in layers)
    if mode == "shift":  # a frame of 0 before, and the last one held until its output has come
        clip = torch.cat([torch.zeros_like(clip[..., :1]), clip, *[clip[..., -1:]] * (latency - 1)], -1)
    x, sent = clip, []
    for layer, block in zip(layers, net, strict=True):
        x = block.train(mode == "train")(x)
        if layer["neuron"]:
            sent.append(int((x != 0).sum()))
    x = x.cumsum(-1)[..., -steps:]
    shared = all(layer["neuron"]["shared"] for layer in layers if layer["neuron"])
    if shared:  # lava-dl cannot go back through thresholds of channels: it lines them up with the steps
        (x * wanted).sum().backward()
    whole = (x.detach().double() * 2**17).round()
    assert torch.equal(whole / 2**17, x.detach().double())
    return {
        "seed": seed,
        "output": whole.long().flatten().tolist(),
        "sent": sent,
        "gradients": {name: rounded(value) for name, value in gradients(layers, net)} if shared else {},
        "means": {name: rounded(value) for name, value in running_means(layers, net)},
    }


def rounded(values: Tensor) -> list[float]:
    """To 8 figures, more than float32 has."""
    return [float(f"{value:.8g}") for value in values.flatten().tolist()]


def gradients(layers: list[Any], net: list[Any]) -> Any:
    for layer, block in zip(layers, net, strict=True):
        synapse = getattr(block, "synapse", block)
        for part in ("weight_v", "weight_g", "weight"):
            value = getattr(synapse, part, None)
            if isinstance(value, torch.nn.Parameter):
                yield f"{layer['module']}.{part}", value.grad
        if layer["neuron"] and layer["neuron"]["trainable"] and layer["neuron"]["shared"]:
            yield f"{layer['neuron']['module']}.threshold", block.neuron.delta.threshold.grad


def running_means(layers: list[Any], net: list[Any]) -> Any:
    for layer, block in zip(layers, net, strict=True):
        if layer["neuron"] and layer["neuron"]["norm"]:
            yield f"{layer['neuron']['module']}.norm.running_mean", block.neuron.norm.running_mean


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps([run(sys.argv[1], int(seed)) for seed in sys.argv[2:]]))

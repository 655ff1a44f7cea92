"""A net in time on torch, one step after the other: the chip's form of `forward`, with the states kept between steps.

In float64, which holds all sums exactly (they are multiples of 2^-17), on any device: the numbers are those of the integer
simulator, to the bit.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from detrt.data.encode import Encoding
from detrt.data.sample import Image
from detrt.devices.loihi2.delta import MESSAGE_GRID, q8, stored
from detrt.devices.loihi2.forward import WRAP, weight_of
from detrt.devices.loihi2.plan import LayerPlan, NetPlan
from detrt.devices.loihi2.stages import EventsNet
from detrt.heads.base import Head
from detrt.heads.detections import Detections
from detrt.stream import Events

Floats = npt.NDArray[np.float32]

GRID = 2.0**17
"""All sums are whole multiples of 1 / GRID: a weight's 2^-5 times a message's 2^-12."""


@dataclass(slots=True)
class _Layer:
    """Numbers of a layer, and its state: the sum so far, what arrives at the next step, what receivers know."""

    plan: LayerPlan
    weight: Tensor | None
    mean: Tensor | None
    threshold: Tensor | None
    total: Tensor | float = 0.0
    held: Tensor | float = 0.0
    known: Tensor | float = 0.0
    axons: deque[Tensor] = field(default_factory=deque)


class TorchStream:
    """A model that runs in time (see `stages.prepare`) over the frames of a video, on the device that its weights lie on: a
    `detrt.stream.Stream` of frames uint8 [height, width, channels] in the net's size and colour order. `head` decodes.

    Nets that are done earlier than others wait for these, so that all outputs are of one frame.
    """

    def __init__(self, model: EventsNet, encoding: Encoding, head: Head) -> None:
        tensors = model.tensors()
        self._nets = [(net, Steps(net, tensors)) for net in sorted(model.nets, key=lambda net: net.index)]
        self._waiting: list[deque[Floats]] = [deque() for _ in self._nets]
        self._encoding, self._head = encoding, head
        self._seen = 0
        self.latency = max(net.latency for net in model.nets)
        self._labels = {(net.name, layer.name): model.label(net, layer) for net in model.nets for layer in net.layers}
        self.neurons: dict[str, int] = {}
        self.late: dict[str, int] = {}
        for net in model.nets:
            late = 0
            for layer in net.layers:
                late += layer.weighted
                if layer.neuron is not None:
                    label = model.label(net, layer)
                    self.neurons[label], self.late[label] = math.prod(layer.shape), late
                late += layer.delay

    def step(self, frame: Image) -> tuple[Detections | None, Events]:
        values = self._encoding.array(frame[None])
        events: Events = {}
        for (net, steps), waiting in zip(self._nets, self._waiting, strict=True):
            output, sent = steps(values)
            events |= {self._labels[net.name, layer]: count for layer, count in sent.items()}
            if self._seen >= net.latency:
                waiting.append(output)
        self._seen += 1
        if not all(self._waiting):
            return None, events
        maps: dict[str, list[Floats]] = {}
        for (net, _), waiting in zip(self._nets, self._waiting, strict=True):
            maps.setdefault(net.output, []).append(waiting.popleft())
        return self._head.decode_one(maps, self._head.options), events


def stream(model: EventsNet, encoding: Encoding, head: Head) -> TorchStream:
    """A video from its beginning on."""
    return TorchStream(model, encoding, head)


class Steps:
    """One net, step by step. `tensors` are the model's parameters and buffers by name."""

    def __init__(self, net: NetPlan, tensors: Mapping[str, Tensor]) -> None:
        self._layers = [_layer(layer, tensors) for layer in net.layers]
        self._device = next(iter(tensors.values())).device

    @torch.no_grad()
    def __call__(self, values: Floats) -> tuple[Floats, Events]:
        """A frame [1, C, H, W], encoded, goes in; the output [O, h, w] at this step, and what each layer has sent."""
        x = torch.from_numpy(values).to(self._device)
        counts: dict[str, Tensor] = {}
        for layer in self._layers:
            plan = layer.plan
            if plan.type == "flatten":
                x = x.flatten(1)
                continue
            if plan.weighted:
                x = self._sum(layer, x)
                if plan.neuron is None:
                    break
                if layer.mean is not None:
                    x = x - layer.mean
                if plan.neuron.activation == "relu":
                    x = F.relu(x)
            else:
                x = q8(x).double()
            assert layer.threshold is not None
            difference = x - layer.known
            sent = torch.where(difference.abs() >= layer.threshold, difference, 0.0)
            layer.known = layer.known + sent
            counts[plan.name] = sent.count_nonzero()
            x = _late(layer, torch.floor(sent * MESSAGE_GRID) / MESSAGE_GRID)
        events = dict(zip(counts, torch.stack(list(counts.values())).tolist(), strict=True)) if counts else {}
        return x[0].float().cpu().numpy(), events

    def _sum(self, layer: _Layer, x: Tensor) -> Tensor:
        """The sum of all that has arrived; what x brings arrives at the next step."""
        plan, weight = layer.plan, layer.weight
        assert weight is not None
        if plan.type == "dense":
            brought = F.linear(x, weight)
        else:
            brought = F.conv2d(x, weight, None, plan.stride, plan.pad, plan.dilation, plan.groups)
            brought = torch.round(brought * GRID) / GRID  # what a GPU's transforms leave of rounding is far below that
            brought = torch.remainder(brought + WRAP, 2 * WRAP) - WRAP
        total = torch.zeros_like(brought) + layer.total + layer.held
        layer.total, layer.held = total, brought
        return total


def _late(layer: _Layer, x: Tensor) -> Tensor:
    """Messages as they leave, `delay` steps after they were made."""
    layer.axons.append(x)
    return layer.axons.popleft() if len(layer.axons) > layer.plan.delay else torch.zeros_like(x)


def _layer(plan: LayerPlan, tensors: Mapping[str, Tensor]) -> _Layer:
    weight = mean = threshold = None
    if plan.weighted:
        weight = q8(weight_of(plan, tensors)).double()
    if plan.neuron is not None:
        form = (-1, *[1] * (len(plan.shape) - 1))
        threshold = stored(tensors[f"{plan.neuron.module}.threshold"].detach()).double().reshape(form)
        if plan.neuron.norm:
            mean = q8(tensors[f"{plan.neuron.module}.norm.running_mean"]).double().reshape(form)
    return _Layer(plan, weight, mean, threshold)

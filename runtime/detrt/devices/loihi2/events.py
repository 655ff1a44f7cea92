"""Events of a net in time: how many are sent, what they cost to receive, and what a stage lets them cost in its loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from detrt.devices.loihi2.plan import LayerPlan
from detrt.devices.loihi2.stages import EventsNet

Reduce = Callable[[Tensor], Tensor]


def penalties(model: nn.Module, stage: Mapping[str, Any]) -> Callable[[], dict[str, Tensor]] | None:
    """What `regularize events = sparsity(weight, rate)` of `stage` adds to the loss of each forward pass of `model` in training:
    weight * sum over layers of max(mean|message| - rate, 0)^2 (lava-dl 0.6.0, slayer/loss.py, SparsityEnforcer). None without.

    The mean is over pictures, steps and neurons of a layer. What is returned gives the term of the last forward pass, once.
    """
    asked = (stage.get("regularize") or {}).get("events")
    if not asked or not isinstance(model, EventsNet):
        return None
    weight, rate = float(asked["weight"]), float(asked["rate"])
    sent: list[Tensor] = []

    def see(_: str, messages: Tensor) -> None:
        if model.training and torch.is_grad_enabled():
            sent.append(messages.abs().mean())

    def term() -> dict[str, Tensor]:
        terms = [F.relu(mean - rate).square() for mean in sent]
        sent.clear()
        return {"events": weight * torch.stack(terms).sum()} if terms else {}

    model.watch = see
    return term


@dataclass(slots=True)
class Counts:
    """Events of the forward passes inside `counting`, by layer that sends: its neurons, events and synaptic operations."""

    neurons: dict[str, int] = field(default_factory=dict)
    events: dict[str, Tensor] = field(default_factory=dict)
    operations: dict[str, Tensor] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    """Steps of all pictures."""

    def figures(self, reduce: Reduce) -> dict[str, float]:
        """Means over steps and pictures of all processes, whose sums `reduce` adds up: `events` sent and synaptic operations,
        `synops`, of a step, `event_rate`, the share of neurons that send in a step; `events/LAYER` and so on for each layer.
        """
        names = list(self.neurons)
        if not names:
            return {}
        steps = [self.events[name].new_tensor(self.steps[name]) for name in names]
        rows = zip(self.events.values(), self.operations.values(), steps, strict=True)
        sums = reduce(torch.stack([torch.stack(row) for row in rows])).tolist()
        found: dict[str, float] = {}
        each = {n: (events / steps, synops / steps) for n, (events, synops, steps) in zip(names, sums, strict=True)}
        found["event_rate"] = sum(events for events, _ in each.values()) / sum(self.neurons.values())
        found["events"] = sum(events for events, _ in each.values())
        found["synops"] = sum(synops for _, synops in each.values())
        for name, (events, synops) in each.items():
            found[f"event_rate/{name}"] = events / self.neurons[name]
            found |= {f"events/{name}": events, f"synops/{name}": synops}
        return found


@contextmanager
def counting(model: nn.Module) -> Iterator[Counts]:
    """Counts what `model` sends in forward passes inside the `with`; nothing of a model that does not run in time.

    An event counts for the step of its frame: what a layer sends before the first frame reaches it does not count.
    """
    counts = Counts()
    if not isinstance(model, EventsNet):
        yield counts
        return
    reached = {
        model.label(net, layer): _fan_out(net.layers[number:])
        for net in model.nets
        for number, layer in enumerate(net.layers)
        if layer.neuron is not None
    }
    before = model.watch

    def see(name: str, messages: Tensor) -> None:
        steps, pictures = messages.shape[:2]
        if before is not None:
            before(name, messages)
        sent = (messages != 0).sum((0, 1, 2)).double()  # [h, w], or of a vector one number
        operations = (sent * reached[name].to(sent.device)).sum()
        counts.neurons[name] = messages[0, 0].numel()
        counts.events[name] = counts.events.get(name, 0) + sent.sum()
        counts.operations[name] = counts.operations.get(name, 0) + operations
        counts.steps[name] = counts.steps.get(name, 0) + steps * pictures

    model.watch = see
    model.overflows.clear()
    try:
        yield counts
    finally:
        model.watch = before


def _fan_out(layers: tuple[LayerPlan, ...]) -> Tensor:
    """Weights that an event of layers[0] meets in the next layer with weights, for each place: [h, w], or one number for a
    vector or before a matrix. Places at an edge reach fewer, as do those that a stride passes over.
    """
    following = next((layer for layer in layers[1:] if layer.weighted), None)
    if following is None:
        return torch.zeros(())
    if following.type == "dense":
        return torch.tensor(float(following.shape[0]))
    (h, w), (rows, columns) = following.shape[1:], layers[0].shape[1:]
    left = [
        side - ((out - 1) * stride - 2 * pad + dilation * (k - 1) + 1)
        for side, out, stride, pad, dilation, k in zip(
            (rows, columns), (h, w), following.stride, following.pad, following.dilation, following.k, strict=True
        )
    ]
    window = torch.ones(1, 1, *following.k)
    places = F.conv_transpose2d(
        torch.ones(1, 1, h, w), window, None, following.stride, following.pad, left, 1, following.dilation
    )
    return places[0, 0] * (following.shape[0] // following.groups)

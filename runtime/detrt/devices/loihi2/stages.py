"""The stages of training in time on a model's modules: what the training engine calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from detrt.devices.loihi2.delta import MESSAGE_GRID, WEIGHT_RANGE, q8
from detrt.devices.loihi2.forward import forward_in_time, weight_of
from detrt.devices.loihi2.plan import LayerPlan, NetPlan, NeuronPlan, read_nets
from detrt.errors import DetrtError

if TYPE_CHECKING:
    from detrt.devices.loihi2.slayer_engine import SlayerEngine

Lock = Mapping[str, Any]
Watch = Callable[[str, Tensor], None]
"""Called with the label of each layer that sends messages, and these: [T, N, ..], for the frames alone."""

AS_CHIP = "chip"
"""What `quantize events` is where messages arrive a step later in training too."""
DEFAULT_STEPS = 1
"""Steps for which a picture is held where neither stage nor input says how many."""


class EventsNet(nn.Module):
    """A generated model whose forward runs the nets of the lock's plan in time over its own modules.

    Modules, parameters and their names are those of the model. Training is lava-dl's, through its own blocks where there is an
    `engine`, or in the chip's form if `as_chip`; in eval mode a clip comes out as from the integer simulator, bit for bit.
    """

    nets: tuple[NetPlan, ...]
    steps: int
    as_chip: bool
    engine: SlayerEngine | None
    watch: Watch | None
    overflows: dict[str, int]

    def forward(self, clip: Tensor) -> Any:
        """Outputs [N, O, h, w, T] of a clip [N, C, H, W, T]; those [N, O, h, w] of the last step of a picture [N, C, H, W]
        that is held for `steps`. In the generated model's form: a tensor, or tensors and lists of them by name.
        """
        held = clip.dim() == 4
        if held:
            clip = clip[..., None].expand(*clip.shape, self.steps)
        self._check(clip)
        tensors = self.tensors()
        if self.training:
            self._hold_thresholds(tensors)
        with torch.autocast(clip.device.type, enabled=False):
            made = [self._run(net, tensors, clip.float()) for net in self.nets]
        return self._structured([x[..., -1] for x in made] if held else made)

    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers by name."""
        return {**dict(self.named_parameters(remove_duplicate=False)), **dict(self.named_buffers())}

    def label(self, net: NetPlan, layer: LayerPlan) -> str:
        """The layer's name, with that of its net where there are several: each runs on cores of its own."""
        return layer.name if len(self.nets) == 1 else f"{net.name}.{layer.name}"

    def layers(self) -> dict[str, LayerPlan]:
        """The layers of all nets by label."""
        return {self.label(net, layer): layer for net in self.nets for layer in net.layers}

    def _run(self, net: NetPlan, tensors: Mapping[str, Tensor], clip: Tensor) -> Tensor:
        def see(layer: LayerPlan, messages: Tensor) -> None:
            if self.watch is not None:
                self.watch(self.label(net, layer), messages)

        def wrapped(layer: LayerPlan, count: int) -> None:
            label = self.label(net, layer)
            self.overflows[label] = self.overflows.get(label, 0) + count

        if self.training and self.engine is not None:
            return self.engine(net, tensors, clip, see=see, still=self._still(net))
        if self.training:
            return forward_in_time(
                net, tensors, clip, delay_shift=self.as_chip, exact=False, means=self._means, see=see
            )
        return forward_in_time(net, tensors, clip, delay_shift=True, see=see, wrapped=wrapped)

    def _structured(self, made: Sequence[Tensor]) -> Tensor | dict[str, Tensor | list[Tensor]]:
        given: dict[str, list[Tensor]] = {}
        for net, x in sorted(zip(self.nets, made, strict=True), key=lambda pair: pair[0].index):
            given.setdefault(net.output, []).append(x)
        if len(made) == 1:
            return made[0]
        return {name: each[0] if len(each) == 1 else each for name, each in given.items()}

    def _check(self, clip: Tensor) -> None:
        planned = self.nets[0].layers[0].shape
        if clip.dim() != 5 or tuple(clip.shape[1:4]) != planned:
            expected = f"[n, {', '.join(map(str, planned))}, steps]"
            raise DetrtError(
                f"a batch of {list(clip.shape)} enters a net in time that was planned for {expected}",
                remedy="leave `multiscale` out of stages in time",
            )

    def _means(self, neuron: NeuronPlan, sums: Tensor) -> Tensor:
        """The batch's means of `sums` [T, N, C, ..], by which the running ones move, or where these stand still, they."""
        norm: Any = self.get_submodule(f"{neuron.module}.norm")
        running: Tensor = norm.running_mean
        if not norm.training:
            return running
        mean = sums.mean([axis for axis in range(sums.dim()) if axis != 2])
        with torch.no_grad():
            running.copy_((1 - norm.momentum) * running + norm.momentum * mean)
        return mean

    def _still(self, net: NetPlan) -> set[str]:
        """The neurons whose running means stand still."""
        normed = [layer.neuron.module for layer in net.layers if layer.neuron is not None and layer.neuron.norm]
        return {module for module in normed if not self.get_submodule(f"{module}.norm").training}

    @torch.no_grad()
    def _hold_thresholds(self, tensors: Mapping[str, Tensor]) -> None:
        """Keeps thresholds that learn above 0, as lava-dl does at each forward."""
        for layer in self.layers().values():
            if layer.neuron is not None and layer.neuron.trainable:
                tensors[f"{layer.neuron.module}.threshold"].clamp_(min=1 / MESSAGE_GRID)


@cache
def _events_class(kind: Any) -> type[EventsNet]:
    """The class of a model of class `kind` in time: one for each, so that copies are of the same class."""
    return type(f"Events{kind.__name__}", (EventsNet, kind), {"__doc__": EventsNet.__doc__})


def exports(stage: Mapping[str, Any]) -> bool:
    """Always True: quantising is part of the neurons, so any weights can be written for the device."""
    return True


def prepare(
    model: nn.Module, lock: Lock, stage: Mapping[str, Any], caps: Mapping[str, float] | None = None
) -> nn.Module:
    """Makes `model` run the lock's plan in time, in place, if `stage["quantize"]["events"]` asks for it; gives `model` back.

    The very same module has another class from then on; it can be copied, wrapped and saved as before. DetrtError without
    a plan.
    """
    events = (stage.get("quantize") or {}).get("events")
    if not events:
        return model
    nets = read_nets(lock)
    if not isinstance(model, EventsNet):
        kind: Any = type(model)
        model.__class__ = _events_class(kind)
    assert isinstance(model, EventsNet)
    model.nets, model.engine, model.watch, model.overflows = nets, None, None, {}
    model.as_chip = events == AS_CHIP
    model.steps = int(stage.get("steps") or nets[0].steps or DEFAULT_STEPS)
    return model


@torch.no_grad()
def clipped(model: nn.Module) -> dict[str, str]:
    """By layer, what lies beyond the range of 8 bit weights and means, and how many sums of a step left 24 bits since `counting`
    began.
    """
    if not isinstance(model, EventsNet):
        return {}
    tensors, found = model.tensors(), {}
    for label, layer in model.layers().items():
        said = []
        if layer.weighted:
            beyond = _beyond(weight_of(layer, tensors))
            if beyond:
                said.append(f"{beyond} of its weights lie beyond {_range()} and are held there")
        if layer.neuron is not None and layer.neuron.norm:
            beyond = _beyond(tensors[f"{layer.neuron.module}.norm.running_mean"])
            if beyond:
                said.append(f"{beyond} of its means lie beyond {_range()} and are held there")
        if model.overflows.get(label):
            said.append(f"{model.overflows[label]} sums of a step left the 24 bits of a core and went round")
        if said:
            found[label] = "; ".join(said)
    return found


def _beyond(values: Tensor) -> int:
    return int((q8(values) - values).abs().gt(1 / 64).sum())


def _range() -> str:
    low, high = WEIGHT_RANGE
    return f"{low:g} .. {high:g}"

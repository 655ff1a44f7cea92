"""Training through lava-dl's own blocks: the nets of the project's slayer_net.py, run with the tensors of the model.

A net of slayer's modules serves as the function alone. Its parameters are put aside for those of the model on each call, so
that gradients, optimiser, averages and checkpoints are the model's, and equal whichever engine trains.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from detrt.devices.loihi2.delta import stored
from detrt.devices.loihi2.forward import See
from detrt.devices.loihi2.plan import NetPlan
from detrt.devices.loihi2.slayer_names import placed, slayer_names, unsqueezed
from detrt.errors import DetrtError

NETS = "NETS"
"""What slayer_net.py calls its classes: {name of the net: class}."""


class SlayerEngine:
    """Runs nets through the classes of slayer_net.py, in place of `forward_in_time` in training."""

    def __init__(self, kinds: Mapping[str, type[nn.Module]], place: str) -> None:
        self.kinds, self.place = dict(kinds), place
        self._made: dict[str, nn.Module] = {}

    def __deepcopy__(self, memo: Any) -> SlayerEngine:
        """Of a copied model: the modules keep intermediate results, which cannot be copied, and are made again."""
        return SlayerEngine(self.kinds, self.place)

    def __call__(
        self,
        net: NetPlan,
        tensors: Mapping[str, Tensor],
        x: Tensor,
        *,
        see: See | None = None,
        still: Collection[str] = (),
    ) -> Tensor:
        """Output [N, O, h, w, T] of a clip x [N, C, H, W, T] in training, as of `forward_in_time`; the running means in `tensors`
        move, but for those of the neurons named in `still`.
        """
        made = self._net(net).to(x.device)
        given = self._given(net, tensors, made)
        for layer, block in placed(net):
            if layer.neuron is not None and layer.neuron.norm:
                norm: Any = made.get_submodule(f"{block}.neuron.norm")
                norm.update = layer.neuron.module not in still
        hooks = self._watched(net, made, see, x.shape[-1]) if see is not None else []
        try:
            output: Tensor = torch.func.functional_call(made, given, (x,))
        finally:
            for hook in hooks:
                hook.remove()
        with torch.no_grad():
            for ours, theirs in slayer_names(net).items():
                if ours.endswith(".running_mean"):
                    tensors[ours].copy_(given[theirs])
        return output

    def _net(self, net: NetPlan) -> nn.Module:
        if net.name not in self._made:
            if net.name not in self.kinds:
                raise self._other(f"no class for the net `{net.name}`")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # lava-dl uses the older weight norm of torch
                made = self.kinds[net.name]().train()
            self._made[net.name] = made
        return self._made[net.name]

    def _given(self, net: NetPlan, tensors: Mapping[str, Tensor], made: nn.Module) -> dict[str, Tensor]:
        """The model's tensors by slayer's names, in slayer's shapes."""
        own = {**dict(made.named_parameters()), **dict(made.named_buffers())}
        learning = {
            f"{layer.neuron.module}.threshold" for layer in net.layers if layer.neuron and layer.neuron.trainable
        }
        given = {}
        for ours, theirs in slayer_names(net).items():
            if theirs.endswith(".bias"):  # of neurons; stands at 0
                continue
            tensor = unsqueezed(theirs, tensors[ours])
            if theirs.endswith(".threshold"):
                tensor = tensor if ours in learning else stored(tensor.detach())
            if theirs not in own:
                raise self._other(f"it has no `{theirs}`")
            if theirs.rpartition(".")[2].startswith("weight") and own[theirs].shape != tensor.shape:
                raise self._other(f"its `{theirs}` is {list(own[theirs].shape)}, not {list(tensor.shape)}")
            given[theirs] = tensor.clone() if theirs.endswith(".running_mean") else tensor
        more = sorted(name for name in own.keys() - given.keys() if "synapse" in name and "weight" in name)
        if more:
            raise self._other(f"it has `{more[0]}`, which the model has not")
        return given

    def _watched(self, net: NetPlan, made: nn.Module, see: See, steps: int) -> list[Any]:
        """Hooks that show the messages [T, N, ..] of each layer with neurons."""
        hooks, late = [], 0
        for layer, block in placed(net):
            if layer.neuron is None:
                continue

            def show(_: nn.Module, __: Any, output: Tensor, layer: Any = layer, late: int = late) -> None:
                see(layer, output.movedim(-1, 0)[late : late + steps])

            hooks.append(made.get_submodule(block).register_forward_hook(show))
            late += layer.delay
        return hooks

    def _other(self, what: str) -> DetrtError:
        return DetrtError(f"slayer_net.py and spec.lock.json do not belong together: {what}", self.place, "build again")


def engine_of(module: str) -> SlayerEngine:
    """The engine of the project's module `module`. DetrtError where lava-dl is missing, or the module is no slayer_net.py."""
    try:
        found = import_module(module)
    except ImportError as error:
        raise DetrtError(f"{module}.py does not import: {error}", remedy="build again") from error
    kinds = getattr(found, NETS, None)
    if not isinstance(kinds, Mapping):
        raise DetrtError(f"{module}.py names no classes in {NETS}", str(found.__file__), "build again")
    return SlayerEngine(kinds, str(found.__file__))

"""The nets of a lock's plan: chains of layers with their modules by name, without a weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detrt.errors import DetrtError

SCHEMA = 1
TYPES = ("input", "conv", "dense", "flatten")
MAX_DELAY = 62
"""Steps that an axon can hold a message back (lava-dl 0.6.0, slayer/block/sigma_delta: Delay(max_delay=62))."""

Pair = tuple[int, int]
"""(y, x)."""


@dataclass(frozen=True, slots=True)
class NeuronPlan:
    """Sigma-delta neurons: `module` has the threshold and, with `norm`, the running mean at `module`.norm.running_mean.

    `tau_grad` and `scale_grad` only shape the gradient of a `trainable` threshold.
    """

    module: str
    threshold: float
    tau_grad: float = 0.1
    scale_grad: float = 0.1
    activation: str | None = "relu"
    norm: bool = False
    trainable: bool = False


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """One layer: what has weights has a `module`, and either a `neuron` or, read out, `sigma`.

    `shape` [C, H, W] or [n] is that of its output; `delay` steps pass before its messages leave.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    where: str = ""
    module: str = ""
    weight_norm: bool = False
    k: Pair = (1, 1)
    stride: Pair = (1, 1)
    pad: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    neuron: NeuronPlan | None = None
    delay: int = 0
    sigma: bool = False

    @property
    def weighted(self) -> bool:
        return self.type in ("conv", "dense")


@dataclass(frozen=True, slots=True)
class NetPlan:
    """A chain from the model's input to tensor `index` of its `output`; `steps` of a clip where the spec says them."""

    name: str
    output: str
    steps: int | None
    layers: tuple[LayerPlan, ...]
    index: int = 0

    @property
    def latency(self) -> int:
        """Steps between a frame and its output on the device: one a layer with weights, and their delays."""
        return sum(1 + layer.delay for layer in self.layers if layer.weighted)


def read_nets(lock: Mapping[str, Any]) -> tuple[NetPlan, ...]:
    """The nets of a lock's plan. DetrtError if the lock has none or it is damaged."""
    plan = lock.get("plan")
    if not plan:
        raise DetrtError(
            "the lock has no plan for Loihi 2: the model is no chain that runs in time",
            "spec.lock.json",
            "build with --target loihi2; `detc check` says which operator is in the way",
        )
    try:
        if plan["schema"] != SCHEMA:
            raise ValueError(f"schema {plan['schema']}, not {SCHEMA}")
        nets = tuple(net_of(net) for net in plan["nets"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DetrtError(f"the plan of the lock is damaged at {error}", "spec.lock.json", "build again") from error
    if not nets:
        raise DetrtError("the plan of the lock has no net", "spec.lock.json", "build again")
    return nets


def net_of(net: Mapping[str, Any]) -> NetPlan:
    """One of `lock["plan"]["nets"]`. KeyError, TypeError or ValueError if it is damaged."""
    given = net["input"].get("steps")
    steps = None if given is None else int(given)
    layers = tuple(_layer(entry) for entry in net["layers"])
    if not layers or layers[0].type != "input" or any(layer.type == "input" for layer in layers[1:]):
        raise ValueError("its layers, which do not begin with the one input")
    for layer in layers:
        if (layer.type == "flatten") != (layer.neuron is None and not layer.sigma):
            raise ValueError(f"the neuron of `{layer.name}`")
        if layer.sigma and layer is not layers[-1]:
            raise ValueError(f"`{layer.name}`, which is read out before the end")
    return NetPlan(str(net["name"]), str(net["output"]), steps, layers, int(net.get("index") or 0))


def _layer(entry: Mapping[str, Any]) -> LayerPlan:
    kind, name = str(entry["type"]), str(entry["name"])
    if kind not in TYPES:
        raise ValueError(f"the type {kind!r} of `{name}`")
    weighted = kind in ("conv", "dense")
    neuron, delay = entry.get("neuron"), int(entry.get("delay") or 0)
    shape = tuple(int(side) for side in entry["shape"])
    if not shape or min(shape) < 1 or not 0 <= delay <= MAX_DELAY:
        raise ValueError(f"the shape or the delay of `{name}`")
    pairs = {key: _pair(entry[key]) for key in ("k", "stride", "pad", "dilation") if kind == "conv"}
    return LayerPlan(
        name=name,
        type=kind,
        shape=shape,
        where=str(entry.get("where") or ""),
        module=str(entry["module"]) if weighted else "",
        weight_norm=bool(entry.get("weight_norm")),
        groups=int(entry.get("groups") or 1),
        neuron=None if neuron is None else _neuron(neuron),
        delay=delay,
        sigma=bool(entry.get("sigma")),
        **pairs,
    )


def _pair(values: Any) -> Pair:
    y, x = (values, values) if isinstance(values, int) else values
    return int(y), int(x)


def _neuron(entry: Mapping[str, Any]) -> NeuronPlan:
    if entry.get("activation") not in (None, "relu"):
        raise ValueError(f"the activation {entry['activation']!r}")
    return NeuronPlan(
        module=str(entry["module"]),
        threshold=float(entry["threshold"]),
        tau_grad=float(entry.get("tau_grad", 0.1)),
        scale_grad=float(entry.get("scale_grad", 0.1)),
        activation=entry.get("activation"),
        norm=bool(entry.get("norm")),
        trainable=bool(entry.get("trainable")),
    )

"""`slayer_net.py` of a build for Loihi 2: the nets of the plan in the blocks of lava-dl, as one who uses lava-dl writes them.

Attributes are those of lava-dl's own detectors: `input_blocks`, `blocks`, `heads`. The engine of detrt relies on them, and on
the order of their members (runtime/detrt/devices/loihi2/slayer_names.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from detc.codegen.doc import Arg, Bracket
from detc.codegen.layout import WIDTH, flat, statement
from detc.codegen.names import class_name, docstring, inert, unique
from detc.codegen.spelling import quoted

Json = Mapping[str, Any]
Values = dict[str, str]
"""Names of parameters and how their values are written."""

HEAD = """
import torch.nn.functional as F
from detrt.devices.loihi2.shim import import_slayer
from torch import Tensor, nn

slayer = import_slayer()
sd = slayer.block.sigma_delta
""".splitlines()


def slayer_source(lock: Json, model: str | None = None) -> str | None:
    """The text of slayer_net.py: a class for each net of the plan of the lock's own model, or of another one by name; None where
    the plan has no nets in time."""
    described = lock["model"] if model is None else lock["models"][model]
    plan = lock["plan"] if model is None else lock["plans"].get(model)
    if not plan or not plan.get("nets"):
        return None
    gains = {node["name"]: node["attributes"].get("gain", 1) for node in described["nodes"]}
    name = inert(str(model or lock["spec"]["name"]))
    weights = "model.py" if model is None else f"model_{inert(model)}.py"
    said = [
        f"{name} in the blocks of lava-dl: written by detc {lock['detc']}, and yours to edit.",
        f"Where lava-dl is installed, stages with `quantize events` train through these blocks, with the weights of {weights}. "
        "Clips are [N, C, H, W, T].",
    ]
    lines = [*docstring(said, 0), *HEAD]
    made: dict[str, str] = {}
    for net in plan["nets"]:
        made[net["name"]] = unique(class_name(net["name"]), set(made.values()))
        lines += _class(made[net["name"]], net, gains)
    pairs = [Arg("", f"{quoted(called)}: {kind}") for called, kind in made.items()]
    lines += ["", "", *statement(Bracket("", tuple(pairs), "{", "}"), 0, "NETS = ")]
    return "\n".join(lines) + "\n"


def _class(name: str, net: Json, gains: Mapping[str, float]) -> Iterator[str]:
    layers: Sequence[Json] = net["layers"]
    entering, leaving = (", ".join(map(str, layers[i]["shape"])) for i in (0, -1))
    shapes = f"[N, {entering}, T] -> {net['output']} [N, {leaving}, T]."
    yield from ("", "", f"class {name}(nn.Module):", *docstring([shapes], 4), "")
    yield from ("    def __init__(self) -> None:", "        super().__init__()")
    neurons: dict[str, Values] = {}
    for layer in layers:
        values = _neuron(layer)
        if values and values not in neurons.values():
            called = unique("encoder" if layer["type"] == "input" else "neuron", neurons)
            yield from statement(_parameters(values, neurons), 8, f"{called} = ")
            neurons[called] = values
    synapses = {_synapse(layer): "" for layer in layers if layer.get("neuron") and layer["type"] != "input"}
    for common in synapses:
        synapses[common] = unique("synapse", list(synapses.values()))
        yield f"        {synapses[common]} = {{{', '.join(common)}}}"
    late = 0
    yield "        self.input_blocks = nn.Sequential("
    for layer in layers:
        if layer["type"] == "input":
            yield from _commented(_call("sd.Input", [_named(_neuron(layer), neurons)]), layer)
            yield from ("        )", "        self.blocks = nn.Sequential(")
        elif layer.get("sigma"):
            yield from ("        )", "        self.heads = nn.Sequential(")
            yield from _commented(_read_out(layer), layer)
            yield "            slayer.dendrite.Sigma(),"
        elif layer["type"] == "flatten":
            yield from _commented(_call("sd.Flatten", []), layer)
        else:
            gain = float(gains.get(layer["nodes"][0], 1))
            words = [f"weight_scale={gain:g}"] if gain != 1 else []
            args = [_named(_neuron(layer), neurons), *_sizes(layer), *words, f"**{synapses[_synapse(layer)]}"]
            yield from _commented(_call(f"sd.{layer['type'].capitalize()}", args), layer)
            if layer["delay"]:
                late += layer["delay"]
                yield f"            nn.ConstantPad1d(({layer['delay']}, 0), 0.0),  # delay of the axons"
    yield from ("        )", "", "    def forward(self, x: Tensor) -> Tensor:")
    whole = "self.heads(self.blocks(self.input_blocks(x)))"
    yield f"        return {whole}" + (f"[..., {late}:]" if late else "")


def _commented(doc: Bracket, layer: Json) -> Iterator[str]:
    """One member of a Sequential, with the layer's name and, where it fits, its place."""
    line = f"{' ' * 12}{flat(doc)},"
    for note in (f"{layer['name']}  {layer['where']}", str(layer["where"])):
        if len(line) + len(note) + 4 <= WIDTH:
            yield f"{line}  # {inert(note)}"
            return
    *lines, last = statement(doc, 12, "", inert(f"{layer['name']}  {layer['where']}"))
    yield from (*lines, f"{last},")


def _call(function: str, args: Sequence[str]) -> Bracket:
    return Bracket(function, tuple(Arg("", arg) for arg in args))


def _neuron(layer: Json) -> Values:
    """The parameters of a layer's neurons, as slayer calls them; nothing for a layer without."""
    neuron = layer.get("neuron")
    if not neuron:
        return {}
    # What an encoder sends, slayer never activates; it asks for an activation all the same.
    activates = neuron["activation"] is not None or layer["type"] == "input"
    return {
        "threshold": repr(float(neuron["threshold"])),
        "tau_grad": repr(float(neuron["tau_grad"])),
        "scale_grad": repr(float(neuron["scale_grad"])),
        "requires_grad": repr(bool(neuron["trainable"])),
        "shared_param": repr(bool(neuron["shared"])),
        "activation": "F.relu" if activates else "nn.Identity()",
        "norm": "slayer.neuron.norm.MeanOnlyBatchNorm" if neuron["norm"] else "None",
    }


def _parameters(values: Values, others: Mapping[str, Values]) -> Bracket:
    """A dict; where others stand before it, what differs from the first of them."""
    name, before = next(iter(others.items()), ("", {"norm": "None"}))
    items = [f"**{name}"] if name else []
    items += [f'"{key}": {value}' for key, value in values.items() if before.get(key) != value]
    return Bracket("", tuple(Arg("", item) for item in items), "{", "}")


def _named(values: Values, neurons: Mapping[str, Values]) -> str:
    return next(name for name, known in neurons.items() if known == values)


def _synapse(layer: Json) -> tuple[str, ...]:
    """What layers with weights have in common. The block itself rounds the weights to 8 bits."""
    return (f'"weight_norm": {bool(layer["weight_norm"])}', '"delay_shift": False')


def _read_out(layer: Json) -> Bracket:
    words = ["weight_norm=True"] if layer["weight_norm"] else []
    args = [*_sizes(layer), *words, "pre_hook_fx=self.input_blocks[0].neuron.quantize_8bit"]
    return _call(f"slayer.synapse.{layer['type'].capitalize()}", args)


def _sizes(layer: Json) -> list[str]:
    """What goes in and out, the kernel, and what differs from slayer's defaults."""
    sizes = [str(layer["in"]), str(layer["out"])]
    if layer["type"] == "dense":
        return sizes
    sizes.append(_pair(layer["k"]))
    for word, key, usual in (("stride", "stride", 1), ("padding", "pad", 0), ("dilation", "dilation", 1)):
        if layer[key] != [usual, usual]:
            sizes.append(f"{word}={_pair(layer[key])}")
    return sizes + ([f"groups={layer['groups']}"] if layer["groups"] != 1 else [])


def _pair(values: Sequence[int]) -> str:
    return str(values[0]) if values[0] == values[1] else f"({values[0]}, {values[1]})"

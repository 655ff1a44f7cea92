"""What the generator knows of torch: names and defaults of arguments, and modules that also exist as functions."""

from __future__ import annotations

import math
from typing import Any

from detc.codegen.doc import NONE_GIVEN, Arg, Bracket, Doc, Hole
from detc.ir.op import TorchCall

KERNEL: Any = object()
"""The default of a pool's stride: its window."""

POSITIONAL: dict[str, tuple[str, ...]] = {
    "nn.Conv2d": ("in_channels", "out_channels", "kernel_size"),
    "PaddedConv2d": ("in_channels", "out_channels", "kernel_size"),
    "nn.Linear": ("in_features", "out_features"),
    "nn.BatchNorm2d": ("num_features",),
    "nn.MaxPool2d": ("kernel_size",),
    "PaddedMaxPool2d": ("kernel_size",),
    "nn.AvgPool2d": ("kernel_size",),
    "nn.ChannelShuffle": ("groups",),
    "nn.LeakyReLU": ("negative_slope",),
    "nn.Hardtanh": ("low", "cap"),
    "nn.Dropout": ("p",),
    "WeightNormConv2d": ("in_channels", "out_channels", "kernel_size"),
    "WeightNormLinear": ("in_features", "out_features"),
    "SigmaDelta": ("num_features",),
    "Cuba": ("num_features",),
    "Unpool": ("kernel_size",),
}
"""Names of the arguments that ops pass by position."""

_CONV = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}

DEFAULTS: dict[str, dict[str, Any]] = {
    "nn.Conv2d": _CONV,
    "PaddedConv2d": {**_CONV, "end": (1, 1)},
    "WeightNormConv2d": {**_CONV, "gain": 1.0},
    "DeltaEncoder": {"threshold": 0.1, "trainable": False},
    "SigmaDelta": {"threshold": 0.1, "activation": None, "norm": None, "shared": True, "trainable": False},
    "Cuba": {"threshold": 0.1, "current_decay": 1.0, "voltage_decay": 0.1, "norm": None, "shared": True},
    "nn.Linear": {"bias": True},
    "WeightNormLinear": {"bias": True, "gain": 1.0},
    "nn.BatchNorm2d": {"eps": 1e-5, "momentum": 0.1},
    "nn.MaxPool2d": {"stride": KERNEL, "padding": 0, "ceil_mode": False},
    "PaddedMaxPool2d": {"stride": KERNEL, "padding": 0, "ceil_mode": False, "end": (1, 1)},
    "nn.AvgPool2d": {"stride": KERNEL, "padding": 0},
}
"""What torch takes for arguments that are left out: `3x3` and `1x1` convolutions share a class though one has padding."""

FUNCTIONS: dict[str, str] = {
    "nn.MaxPool2d": "F.max_pool2d",
    "nn.AvgPool2d": "F.avg_pool2d",
    "nn.AdaptiveAvgPool2d": "F.adaptive_avg_pool2d",
    "nn.Upsample": "F.interpolate",
    "nn.ChannelShuffle": "F.channel_shuffle",
    "nn.Unflatten": "torch.unflatten",
    "nn.Flatten": "torch.flatten",
    "nn.Identity": "",
}
"""Modules without weights or state, other than activations, as functions of the same arguments; "" is no call at all."""

FIXED: dict[str, tuple[tuple[str, Any], ...]] = {"torch.flatten": (("", 1),)}
"""Arguments that the function needs and the module has as defaults."""

FAMILIES: dict[str, str] = {
    **dict.fromkeys(("in_channels", "out_channels", "num_features", "in_features", "out_features"), "channels"),
    **dict.fromkeys(("groups", "start", "length"), "channels"),
    "kernel_size": "kernel",
}
"""Roles whose equal values are one parameter: the features of a norm are the channels before it."""

WORDS: dict[str, tuple[str, ...]] = {
    "kernel": ("k", "kernel"),
    "stride": ("s", "stride"),
    "padding": ("pad", "padding"),
    "dilation": ("dilation",),
    "bias": ("bias",),
    "count": ("n", "depth", "repeats", "times"),
    "cap": ("cap",),
}
"""Names under which specs pass values of a family; a parameter of one of these names is never taken for another family."""

SHORT: dict[str, str] = {
    "in_channels": "c_in",
    "out_channels": "c_out",
    "num_features": "c",
    "in_features": "f_in",
    "out_features": "f_out",
    "kernel_size": "k",
    "count": "n",
}
"""Names of constructor arguments that no parameter of the block gives a name to."""


def family(role: str) -> str:
    return FAMILIES.get(role, role)


def literal(value: Any) -> str:
    """Python's text of a plain value. TypeError for anything else, so that nothing but data ever becomes code."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if isinstance(value, str):
        return quoted(value)
    raise TypeError(f"{value!r} is no plain value")


def quoted(text: str) -> str:
    """A string literal in double quotes and ASCII."""
    escaped = text.encode("unicode_escape").decode("ascii").replace('"', '\\"')
    return f'"{escaped}"'


def module(spelled: TorchCall, owner: str) -> Bracket:
    """The constructor call with a hole for every argument, those at their defaults too."""
    names = POSITIONAL.get(spelled.callee, ())
    given = dict(spelled.args[len([a for a in spelled.args if not a[0]]) :])
    args = []
    positional = [value for keyword, value in spelled.args if not keyword]
    for number, value in enumerate(positional):
        role = names[number] if number < len(names) else f"argument{number + 1}"
        args.append(Arg("", Hole(value, role, owner)))
    defaults = DEFAULTS.get(spelled.callee, {})
    for keyword in [*defaults, *(k for k in given if k not in defaults)]:
        default = defaults.get(keyword, NONE_GIVEN)
        if default is KERNEL:
            default = positional[0]
        value = given.get(keyword, default)
        args.append(Arg(f"{keyword}=", Hole(value, keyword, owner, default)))
    return Bracket(spelled.callee, tuple(args))


def function(spelled: TorchCall, operands: list[Doc], owner: str) -> Doc:
    """The function of the operands: a module's twin where `spelled` is a module."""
    callee = FUNCTIONS[spelled.callee] if spelled.is_module else spelled.callee
    if not callee:
        return operands[0]
    rest = [
        Arg(f"{keyword}=" if keyword else "", Hole(value, keyword or "size", owner))
        for keyword, value in (*FIXED.get(callee, ()), *spelled.args)
    ]
    return Bracket(callee, (*(Arg("", o) for o in operands), *rest))


def initialised(constructor: Doc, init: tuple[Any, ...], owner: str) -> Doc:
    """The constructor with its weights set: `("bias", v)` fills the bias, `("normal", std, v)` draws
    the weights too. ValueError for an initialisation it does not know."""
    if init[0] == "bias":
        return Bracket("prior", (Arg("", constructor), Arg("bias=", Hole(float(init[1]), "prior", owner))))
    if init[0] == "normal":
        std, bias = Hole(float(init[1]), "std", owner, 0.01), Hole(float(init[2]), "prior", owner, 0.0)
        return Bracket("begun", (Arg("", constructor), Arg("std=", std), Arg("bias=", bias)))
    raise ValueError(f"{owner}: unknown initialisation {init[0]!r}")

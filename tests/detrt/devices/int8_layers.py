"""Layers of random networks, each added to a torch module and, as a step, to the plan of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

WORDS = {
    "silu": F.silu,
    "hswish": F.hardswish,
    "hsigmoid": F.hardsigmoid,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": F.gelu,
}
Made = Callable[..., Tensor]


class RandomNet(nn.Module):
    """Runs its lines in order; each computes one tensor from others with modules of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, Made, tuple[str, ...]]] = []
        self.outputs: dict[str, tuple[str, ...]] = {}

    def values(self, frame: Tensor) -> dict[str, Tensor]:
        """Every tensor by name: maps as NCHW, also those before a table."""
        made = {"frame": frame}
        for name, function, inputs in self.lines:
            made[name] = function(self, *(made[i] for i in inputs))
        return made

    def forward(self, frame: Tensor) -> Any:
        made = self.values(frame)
        found: dict[str, Any] = {}
        for name, tensors in self.outputs.items():
            found[name] = made[tensors[0]] if len(tensors) == 1 else [made[t] for t in tensors]
        return (
            next(iter(found.values())) if len(found) == 1 and isinstance(next(iter(found.values())), Tensor) else found
        )


@dataclass
class Builder:
    """Adds layers to the module, to the plan and to the list of maps that others may read.

    `ties`: all scales of weights are powers of two, so that sums lie halfway between two numbers of the output.
    """

    rng: np.random.Generator
    ties: bool = False
    model: RandomNet = field(default_factory=RandomNet)
    tensors: dict[str, dict[str, Any]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def shape(self, name: str) -> list[int]:
        found: list[int] = self.tensors[name]["shape"]
        return found

    def step(self, kernel: str, inputs: list[str], shape: list[int], function: Made, *, moves: bool = False,
             act: list[Any] | None = None, **attributes: Any) -> str:  # fmt: skip
        name = f"{kernel}{len(self.steps)}"
        quant = self.tensors[inputs[0]]["quant"] if moves else name
        self.tensors[name] = {"shape": [int(n) for n in shape], "quant": quant}
        where = f"random.det:{len(self.steps) + 1}"
        step = {"name": name, "kernel": kernel, "inputs": inputs, "output": name, "nodes": [name], "where": where}
        self.steps.append({**step, "activation": act, **attributes})
        if act is None or kernel == "table":
            self.model.lines.append((name, function, tuple(inputs)))
        else:
            self.model.lines.append((f"{name}.before", function, tuple(inputs)))
            self.model.lines.append((name, _activation(act), (f"{name}.before",)))
        return name

    def activation(self) -> list[Any] | None:
        word = self.pick(None, "relu", "relu", "relu6", "leaky", *WORDS)
        if word in ("relu", "relu6"):
            return ["relu", 6.0 if word == "relu6" else None]
        return None if word is None else ["leaky", 0.1] if word == "leaky" else [word]

    def conv(
        self, x: str, channels: int | None = None, k: tuple[int, int] | None = None, act: Any = "any", **given: Any
    ) -> str:
        h, w, c = self.shape(x)
        k = k or self.pick((1, 1), (3, 3), (3, 3), (3, 1), (2, 2), (5, 5))
        deep = channels is None and c > 1 and self.chance(0.35)
        groups = c if deep else self.pick(1, 1, 2, 3)
        channels = channels or (c if deep else int(self.rng.integers(1, 13)))
        groups = groups if c % groups == 0 and channels % groups == 0 else 1
        stride = given.get("stride") or self.pick((1, 1), (1, 1), (2, 2), (2, 1))
        dilation = self.pick((1, 1), (1, 1), (1, 1), (2, 1))
        pad = given.get("pad") or [int(p) for p in self.rng.integers(0, max(k), 4)]
        if given.get("same"):
            stride, dilation, pad = (1, 1), (1, 1), [(k[0] - 1) // 2, (k[1] - 1) // 2, k[0] // 2, k[1] // 2]
        size = _size((h, w), k, stride, pad, dilation)
        if min(size) < 1:
            return self.conv(x, channels, (1, 1), act, same=True)
        bias, norm, name = self.chance(0.8), self.chance(0.4) and not self.ties, f"{len(self.steps)}"
        conv = nn.Conv2d(c, channels, k, stride=stride, dilation=dilation, groups=groups, bias=bias)
        _spoil(conv, self.rng, self.ties)
        self.model.add_module(f"c{name}", conv)
        if norm:
            self.model.add_module(f"n{name}", _norm(channels, self.rng))

        def function(model: nn.Module, x: Tensor) -> Tensor:
            y = model.get_submodule(f"c{name}")(F.pad(x, (pad[1], pad[3], pad[0], pad[2])))
            return model.get_submodule(f"n{name}")(y) if norm else y

        window = {"k": list(k), "stride": list(stride), "pad": pad, "dilation": list(dilation), "groups": groups}
        modules = {"module": f"c{name}", "norm": f"n{name}" if norm else "", "eps": 1e-3, "weight_norm": False}
        kernel = "depthwise" if groups == c == channels else "conv"
        act = self.activation() if act == "any" else act
        return self.step(kernel, [x], [*size, channels], function, act=act, **window, **modules)

    def dense(self, x: str) -> str:
        """On a map: behind a flatten in memory order or in that of the spec; on a vector: as it is."""
        shape = self.shape(x)
        reorder = None
        if len(shape) == 3:
            h, w, c = shape
            flat = f"{x}.flat"
            if self.chance(0.5):
                self.aliases[flat] = x
                self.tensors[flat] = {"shape": [h * w * c], "quant": self.tensors[x]["quant"]}
                self.model.lines.append((flat, lambda model, t: t.flatten(1), (x,)))
                x, reorder = flat, [c, h, w]
            else:
                x = self.step("reorder", [x], [h * w * c], lambda model, t: t.flatten(1), moves=True, axes=[2, 0, 1])
        name, features = f"{len(self.steps)}", int(self.rng.integers(2, 9))
        linear = nn.Linear(self.shape(x)[0], features, bias=self.chance(0.8))
        _spoil(linear, self.rng, self.ties)
        self.model.add_module(f"c{name}", linear)
        attributes = {"module": f"c{name}", "norm": "", **({"reorder_weights": reorder} if reorder else {})}
        return self.step("dense", [x], [features], lambda model, t: model.get_submodule(f"c{name}")(t),
                         act=self.activation(), **attributes)  # fmt: skip

    def pool(self, x: str) -> str:
        h, w, c = self.shape(x)
        k = self.pick((2, 2), (3, 3), (2, 3))
        stride = self.pick((1, 1), (2, 2), (2, 1))
        pad = [int(p) for p in self.rng.integers(0, 2, 4)]
        size = _size((h, w), k, stride, pad, (1, 1))
        sides = (pad[1], pad[3], pad[0], pad[2])
        window = {"k": list(k), "stride": list(stride), "pad": pad}
        if min(size) < 1:
            return self.spread(x)
        if self.chance(0.5):
            return self.step("max_pool", [x], [*size, c], lambda model, t: F.max_pool2d(
                F.pad(t, sides, value=-torch.inf), k, stride), moves=True, **window)  # fmt: skip
        act = self.pick(None, ["relu", None])
        return self.step("average_pool", [x], [*size, c], lambda model, t: F.avg_pool2d(F.pad(t, sides), k, stride),
                         act=act, **window)  # fmt: skip

    def spread(self, x: str) -> str:
        h, w, c = self.shape(x)
        if h * w > 100:
            return self.conv(x, c, (3, 3), stride=(2, 2), pad=[1, 0, 1, 2])
        factor = self.pick((2, 2), (2, 1), (3, 3), (4, 2))
        bilinear = self.chance(0.6)
        mode = {"mode": "bilinear", "align_corners": False} if bilinear else {"mode": "nearest"}
        return self.step("resize", [x], [h * factor[0], w * factor[1], c],
                         lambda model, t: F.interpolate(t, scale_factor=factor, **mode), moves=True,
                         factor=list(factor), bilinear=bilinear)  # fmt: skip

    def squeezed(self, x: str) -> str:
        """x times a number a channel, from its mean."""
        h, w, c = self.shape(x)
        mean = self.step(
            "average_pool",
            [x],
            [1, 1, c],
            lambda model, t: t.mean((2, 3), keepdim=True),
            k=[h, w],
            stride=[1, 1],
            pad=[0] * 4,
        )
        gate = self.conv(self.conv(mean, 3, (1, 1), ["relu", None], same=True), c, (1, 1), ["hsigmoid"], same=True)
        return self.step(
            "mul", [x, gate], [h, w, c], lambda model, a, b: a * b, act=self.pick(None, ["relu", None], ["silu"])
        )

    def joined(self, x: str) -> str:
        h, w, c = self.shape(x)
        kind = self.pick("add", "add", "mul", "concat", "concat")
        other = self.conv(x, c, (3, 3), same=True)
        if kind == "add":
            return self.step("add", [other, x], [h, w, c], lambda model, a, b: a + b, act=self.activation())
        if kind == "mul":
            return self.step("mul", [x, other], [h, w, c], lambda model, a, b: a * b,
                             act=self.pick(None, ["relu", None], ["hswish"], ["tanh"]))  # fmt: skip
        third = self.conv(x, 3, (1, 1), same=True)
        inputs = [other, third] if self.chance(0.5) else [other, x, third]
        name = self.step(
            "concat", inputs, [h, w, sum(self.shape(i)[2] for i in inputs)], lambda model, *t: torch.cat(t, 1)
        )
        for read in [other, third] if self.chance(0.7) else []:
            self.tensors[read]["quant"] = name
        return name

    def rearranged(self, x: str) -> str:
        h, w, c = self.shape(x)
        kind = self.pick("channels", "shuffle", "space_to_depth", "pad", "table")
        if kind == "channels" and c > 1:
            every = 2 if c > 2 and self.chance(0.6) else 1
            first = int(self.rng.integers(0, 1 + (c > 4)))
            count = (c - 1 - first) // every + 1
            return self.step("channels", [x], [h, w, count], lambda model, t: t[:, first::every], moves=True,
                             first=first, count=count, every=every)  # fmt: skip
        if kind == "shuffle" and (c % 3 == 0 or c % 2 == 0):
            deal = 3 if c % 3 == 0 else 2
            return self.step(
                "shuffle", [x], [h, w, c], lambda model, t: F.channel_shuffle(t, deal), moves=True, groups=deal
            )
        if kind == "space_to_depth" and h % 2 == 0 and w % 2 == 0:
            order = self.pick([[0, 0], [0, 1], [1, 0], [1, 1]], [[0, 0], [1, 0], [0, 1], [1, 1]])
            cut = lambda model, t: torch.cat([t[:, :, r::2, q::2] for r, q in order], 1)  # noqa: E731
            return self.step("space_to_depth", [x], [h // 2, w // 2, 4 * c], cut, moves=True, block=2, order=order)
        if kind == "pad":
            pad = [int(p) for p in self.rng.integers(0, 3, 4)]
            return self.step("pad", [x], [h + pad[0] + pad[2], w + pad[1] + pad[3], c],
                             lambda model, t: F.pad(t, (pad[1], pad[3], pad[0], pad[2])), moves=True, pad=pad)  # fmt: skip
        act = self.activation() or ["silu"]
        function = _activation(act)
        return self.step("table", [x], [h, w, c], function, act=act)


def _size(x: tuple[int, int], k: Any, stride: Any, pad: Any, dilation: Any) -> list[int]:
    room = (x[0] + pad[0] + pad[2], x[1] + pad[1] + pad[3])
    return [(n - d * (m - 1) - 1) // s + 1 for n, m, s, d in zip(room, k, stride, dilation, strict=True)]


def _activation(act: list[Any]) -> Made:
    word, values = act[0], act[1:]
    if word == "relu":
        return lambda model, x: x.clamp(0, values[0] if values else None)
    if word == "leaky":
        return lambda model, x: F.leaky_relu(x, values[0])
    return lambda model, x: WORDS[word](x)


@torch.no_grad()
def _spoil(layer: nn.Conv2d | nn.Linear, rng: np.random.Generator, ties: bool) -> None:
    """Weights of scales that differ by channel, some dead or with a bias alone; biases of both signs."""
    torch.manual_seed(int(rng.integers(1 << 30)))
    out = len(layer.weight)
    sizes = torch.from_numpy(np.exp(rng.normal(0.0, 1.0, out))).float() * 1.4 / layer.weight[0].numel() ** 0.5
    if rng.random() < 0.15:
        sizes *= float(rng.choice([1e-6, 1e-3, 30.0]))
    layer.weight.normal_(0.0, 1.0).mul_(sizes.view(-1, *[1] * (layer.weight.dim() - 1)))
    if ties:
        largest = layer.weight.flatten(1).abs().amax(1).view(-1, *[1] * (layer.weight.dim() - 1))
        grid = 2.0 ** torch.ceil(torch.log2(largest / 127))
        layer.weight.copy_(torch.round(layer.weight / grid) * grid)
        layer.weight.flatten(1)[:, 0] = 127 * grid.flatten()
    layer.weight[torch.from_numpy(rng.random(out) < 0.08)] = 0.0
    if layer.bias is not None:
        layer.bias.normal_(0.0, float(rng.choice([0.0, 0.3, 2.0])))


@torch.no_grad()
def _norm(channels: int, rng: np.random.Generator) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, eps=1e-3)
    assert norm.running_mean is not None and norm.running_var is not None
    norm.weight.uniform_(-0.5, 1.5)
    norm.bias.normal_(0.0, 1.0)
    norm.running_mean.normal_(0.0, 1.0)
    norm.running_var.uniform_(0.2, 4.0)
    return norm

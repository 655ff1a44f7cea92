"""Random networks for the 5801: a torch module, the lock that plans it, and pictures. Small, and of every kind the chip knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@dataclass
class Layer:
    """One convolution of a random net."""

    conv: nn.Conv2d
    norm: nn.BatchNorm2d | None
    skip: bool


class RandomNet(nn.Module):
    """Major layers of convolutions, each with its ReLU, some with batch norm and shortcuts, pooled between."""

    def __init__(self, majors: list[list[Layer]], pools: list[str | None], cap: float) -> None:
        super().__init__()
        self.pools = pools
        for m, layers in enumerate(majors):
            for k, layer in enumerate(layers):
                setattr(self, f"conv{m}_{k}", layer.conv)
                if layer.norm is not None:
                    setattr(self, f"bn{m}_{k}", layer.norm)
                setattr(self, f"relu{m}_{k}", nn.Hardtanh(0.0, cap))
        self.skips = [[layer.skip for layer in layers] for layers in majors]

    def forward(self, x: Tensor) -> Tensor:
        for m, (skips, pool) in enumerate(zip(self.skips, self.pools, strict=True)):
            before = x
            for k, skip in enumerate(skips):
                y = getattr(self, f"conv{m}_{k}")(x)
                if hasattr(self, f"bn{m}_{k}"):
                    y = getattr(self, f"bn{m}_{k}")(y)
                if skip:
                    y = y + before
                before, x = x, getattr(self, f"relu{m}_{k}")(y)
            if pool == "max":
                x = nn.functional.max_pool2d(x, 2)
            elif pool == "sample":
                x = nn.functional.max_pool2d(x, 1, stride=2)
        return x


def _node(name: str, op: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "inputs": list(inputs), "attributes": attributes, "module": name}


def random_net(seed: int, *, norms: bool = False, order: str = "bgr") -> tuple[RandomNet, dict[str, Any]]:
    """A net and its lock. Weights cover extreme shifts, biases both signs, outputs saturation; seeds walk through all kinds."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    size = int(rng.choice([14, 28, 56]))
    width = padded_width = 3 if order == "rgb" else int(rng.choice([1, 2, 3, 4, 8, 16]))
    shape, feed = [width, size, size], "frame"
    count = 2 if size == 56 else int(rng.integers(1, 4))
    nodes = [_node("frame", "input")]
    majors: list[list[Layer]] = []
    plans: list[dict[str, Any]] = []
    for m in range(count):
        last = m == count - 1
        mode = (
            str(rng.choice(["dense", "dense", "pointwise", "mobile"]))
            if padded_width % 8 == 0 and order == "bgr"
            else "dense"
        )
        kinds = _kinds(mode, rng)
        widening = max(k for k, kind in enumerate(kinds) if kind != "depthwise")
        real = 10 + int(rng.integers(1, 8))
        wide = -(-real // 8) * 8 if last else int(rng.choice([8, 16, padded_width if padded_width % 8 == 0 else 8]))
        pool = ("sample" if seed % 3 == 0 else "max") if size > 14 or (last and rng.random() < 0.5) else None
        layers: list[Layer] = []
        subs: list[dict[str, Any]] = []
        shortcuts: list[int] = []
        widths, feeds = [(width, padded_width)], [feed]
        for k, kind in enumerate(kinds):
            (here, here_padded), source = widths[-1], feeds[-1]
            if kind == "depthwise":
                out, out_padded = here, here_padded
            else:
                out, out_padded = wide - 2 * int(rng.random() < 0.3), wide
                if last and k == widening:
                    out = real
            side = 1 if kind == "pointwise" else 3
            conv = nn.Conv2d(here, out, side, padding=side // 2, groups=here if kind == "depthwise" else 1)
            _spoil(conv, rng, seed)
            skip = k > 0 and widths[k - 1] == (out, out_padded) and not (pool and k == len(kinds) - 1)
            skip = skip and rng.random() < 0.7 and (not shortcuts or shortcuts[0] % 2 == k % 2)
            norm = _norm(out, rng) if norms else None
            name, tail = f"{m}_{k}", f"conv{m}_{k}"
            nodes.append(_node(tail, "conv", source))
            if norm is not None:
                nodes.append(_node(f"bn{name}", "bn", tail, eps=norm.eps))
                tail = f"bn{name}"
            if skip:
                shortcuts.append(k)
                nodes.append(_node(f"add{name}", "add", tail, feeds[k - 1]))
                tail = f"add{name}"
            nodes.append(_node(f"relu{name}", "relu", tail, cap=31.0))
            layers.append(Layer(conv, norm, bool(skip)))
            sub = {"conv": f"conv{name}", "relu": f"relu{name}", "kind": kind, "in_channels": here, "out_channels": out}
            subs.append({**sub, "padded_in": here_padded, "padded_out": out_padded})
            widths.append((out, out_padded))
            feeds.append(f"relu{name}")
        bits = 8 if mode != "dense" else int(rng.choice([1, 3, 8]))
        major = {
            "number": m + 1,
            "image_size": size,
            "input_channels": padded_width,
            "output_channels": wide,
            "bits": bits,
        }
        plans.append({**major, "pool": pool, "ten_bits": False, "shortcuts": shortcuts, "sublayers": subs})
        majors.append(layers)
        (width, padded_width), feed = widths[-1], feeds[-1]
        if pool:
            nodes.append(_node(f"pool{m}", "maxpool", feed))
            feed, size = f"pool{m}", size // 2
    head = {"kind": "gnetdet", "on": ["grid"], "options": {"boxes": 2, "classes": width - 10, "names": None}}
    frame = {"name": "frame", "shape": shape, "order": order, "encoding": {"kind": "u5"}}
    lock = {
        "schema": 1,
        "spec": {"name": "random"},
        "model": {"name": "random", "input": frame, "nodes": nodes, "outputs": {"grid": [feed]}, "heads": [head]},
        "plan": {"majors": plans, "head_channels": width, "output": feed, "output_size": size},
    }
    return RandomNet(majors, [plan["pool"] for plan in plans], 31.0).eval(), lock


def _kinds(mode: str, rng: np.random.Generator) -> list[str]:
    if mode == "dense":
        return ["conv3x3"] * int(rng.integers(1, 6))
    if mode == "pointwise":
        return ["pointwise"] * int(rng.integers(1, 4))
    return [["depthwise", "pointwise"], ["pointwise", "depthwise"], ["depthwise", "pointwise", "depthwise"]][
        int(rng.integers(3))
    ]


def _spoil(conv: nn.Conv2d, rng: np.random.Generator, seed: int) -> None:
    """Weights of a random scale (shifts 0 to 12), biases of both signs and some exact zeros, some dead kernels."""
    scale = 1.4 / np.sqrt(conv.weight[0].numel())
    if seed % 4 == 0:
        scale = float(rng.choice([0.001, 0.03, 0.1, 0.3, 1.0, 8.0, 30.0]))
    with torch.no_grad():
        conv.weight.normal_(0.0, scale)
        conv.weight[rng.random(conv.weight.shape[:2]) < 0.05] = 0.0
        assert conv.bias is not None
        conv.bias.normal_(0.0, float(rng.choice([0.5, 3.0, 12.0])))
        if scale == 0.001:
            conv.bias.mul_(100.0)  # the biases, not the weights, set the shift
        conv.bias[rng.random(len(conv.bias)) < 0.2] = 0.0


def _norm(channels: int, rng: np.random.Generator) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, eps=1e-3)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.normal_(0.0, 2.0)
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.normal_(0.0, 2.0)
        norm.running_var.uniform_(0.5, 9.0)
    return norm

"""Random networks for the int8 arithmetic: a torch module, the lock that plans it, ranges and pictures. Small, of every kind.

`random_net(seed)` gives a net; `program(seed)` what is made of it, for tests that need no torch module. Seeds 0 .. 59 together
have every kernel, both pools, residual adds, negative biases, saturation, extreme shifts, asymmetric pads, groups, dilation; one
in five has scales that are powers of two, so that many sums lie halfway between two numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from int8_layers import Builder, RandomNet
from torch import Tensor

from detrt.data.encode import Encoding
from detrt.devices.stm32.program import Program
from detrt.devices.stm32.quantising import quantised

SEEDS = range(60)
ENCODINGS: list[dict[str, Any]] = [
    {"scale": 255.0},
    {"scale": 1.0, "mean": 127.0, "std": 128.0},
    {"scale": 127.5, "offset": -1.0},
    {"scale": 1.0, "mean": [123.675, 116.28, 103.53, 120.0], "std": [58.395, 57.12, 57.375, 60.0]},
    {"scale": 1.0},
]


@dataclass
class Case:
    """A net in float, its lock and the ranges that its tensors have."""

    model: RandomNet
    lock: dict[str, Any]
    ranges: dict[str, tuple[float, float]]

    @property
    def caps(self) -> dict[str, float]:
        return {
            f"{n}.{end}": v for n, given in self.ranges.items() for end, v in zip(("low", "high"), given, strict=True)
        }

    def pictures(self, count: int, seed: int = 0) -> npt.NDArray[np.uint8]:
        """Noise with flat black and white patches, u8 [n, height, width, channels]."""
        c, h, w = self.lock["model"]["input"]["shape"]
        made = np.random.default_rng(seed).integers(0, 256, (count, h, w, c), dtype=np.uint8)
        made[:, :3, :3], made[:, -3:, -3:] = 0, 255
        return made

    def encoded(self, pictures: npt.NDArray[np.uint8]) -> Tensor:
        """float32 [n, channels, height, width], as the net takes them."""
        return Encoding.of(self.lock["model"]["input"]).tensor(torch.from_numpy(pictures))


def random_net(seed: int) -> Case:
    """The net of a seed, with its lock, and ranges between those that would saturate hard and those that are far too wide."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    build = Builder(rng, ties=seed % len(ENCODINGS) == 4)
    channels = build.pick(1, 3, 3, 4)
    size = [build.pick(8, 11, 14), build.pick(8, 13, 16)]
    if seed % 7 == 0:
        size = [n - n % 2 for n in size]
    build.tensors["frame"] = {"shape": [*size, channels], "quant": "frame"}
    encoding = {
        "kind": "affine",
        "scale": 1.0,
        "offset": 0.0,
        "mean": 0.0,
        "std": 1.0,
        **ENCODINGS[seed % len(ENCODINGS)],
    }
    for key in ("mean", "std"):
        value = encoding[key]
        encoding[key] = value[:channels] if isinstance(value, list) else [value] * channels
    x = "frame"
    if seed % 7 == 0:
        order = [[0, 0], [1, 0], [0, 1], [1, 1]]
        cut = lambda model, t: torch.cat([t[:, :, r::2, q::2] for r, q in order], 1)  # noqa: E731
        x = build.step(
            "space_to_depth", [x], [size[0] // 2, size[1] // 2, 4 * channels], cut, moves=True, block=2, order=order
        )
    x = build.conv(x, int(rng.integers(2, 9)), (3, 3), same=seed % 2 == 0)
    maps = [x]
    for _ in range(int(rng.integers(4, 9))):
        layer = build.pick(
            build.conv, build.conv, build.pool, build.spread, build.squeezed, build.joined, build.rearranged
        )
        maps.append(layer(maps[-1] if build.chance(0.8) else build.pick(*maps)))
    ends = [maps[-1]]
    if build.chance(0.5):
        ends.append(build.conv(build.pick(*maps), 5, (1, 1), None, same=True))
    outputs = {"grid": tuple(ends)}
    if build.chance(0.4):
        flat = build.dense(maps[-1])
        outputs["flat"] = (build.dense(flat) if build.chance(0.5) else flat,)
    build.model.outputs = outputs
    frame = {"name": "frame", "shape": [channels, *size], "order": {1: "grayscale", 3: "rgb", 4: "rgba"}[channels]}
    plan = {"schema": 1, "input": "frame", "outputs": {n: list(o) for n, o in outputs.items()}, "tensors": build.tensors,
            "aliases": build.aliases, "steps": build.steps}  # fmt: skip
    listed = {name: list(given) for name, given in outputs.items()}
    lock = {
        "schema": 1,
        "spec": {"name": f"random{seed}"},
        "model": {
            "name": "random",
            "input": {**frame, "encoding": encoding},
            "nodes": [],
            "outputs": listed,
            "heads": [],
        },
        "plan": plan,
    }
    case = Case(build.model.eval(), lock, {})
    case.ranges = _ranges(case, rng, build.ties)
    return case


@torch.no_grad()
def wide_net() -> Case:
    """One layer whose sums lie around 2^25 on a white picture and whose output still tells their last bits."""
    case = random_net(0)
    model, features = RandomNet(), 16 * 16 * 4
    model.add_module("c", torch.nn.Linear(features, 8))
    weights = torch.full((8, features), 127.0)
    weights[:, 1::2] = torch.arange(100.0, 108.0)[:, None]
    model.get_submodule("c").weight.copy_(weights)
    sums = 250.0 * weights.sum(1)
    model.get_submodule("c").bias.copy_(-sums)
    model.lines = [("flat", lambda net, x: x.permute(0, 2, 3, 1).flatten(1), ("frame",)),
                   ("out", lambda net, x: net.get_submodule("c")(x), ("flat",))]  # fmt: skip
    model.outputs = {"flat": ("out",)}
    frame = {"name": "frame", "shape": [4, 16, 16], "order": "rgba"}
    encoding = {"kind": "affine", "scale": 1.0, "offset": 0.0, "mean": [0.0] * 4, "std": [1.0] * 4}
    step = {
        "name": "out",
        "kernel": "dense",
        "inputs": ["flat"],
        "output": "out",
        "nodes": ["out"],
        "where": "",
        "activation": None,
    }
    tensors = {"frame": [16, 16, 4], "flat": [features], "out": [8]}
    case.lock["model"].update(input={**frame, "encoding": encoding}, outputs={"flat": ["out"]})
    case.lock["plan"] = {
        "schema": 1, "input": "frame", "outputs": {"flat": ["out"]}, "aliases": {"flat": "frame"},
        "tensors": {n: {"shape": s, "quant": "frame" if n == "flat" else n} for n, s in tensors.items()},
        "steps": [{**step, "module": "c", "norm": ""}],
    }  # fmt: skip
    return Case(model.eval(), case.lock, {"out": (-400.0, 400.0)})


@torch.no_grad()
def _ranges(case: Case, rng: np.random.Generator, ties: bool) -> dict[str, tuple[float, float]]:
    values = case.model.values(case.encoded(case.pictures(2, 99)))
    plan = case.lock["plan"]
    roots = {t["quant"] for t in plan["tensors"].values()} - {"frame"}
    tabled = [s for s in plan["steps"] if s["kernel"] != "table" and (s["activation"] or ["relu"])[0] != "relu"]
    roots |= {f"{s['output']}.before" for s in tabled}
    found = {}
    for name in sorted(roots):
        share = float(rng.choice([0.1, 0.3, 0.7, 1.0, 1.0, 1.0, 1.3, 40.0]))
        low, high = float(values[name].min()) * share, float(values[name].max()) * share
        if ties and high > low:  # a scale that is a power of two
            scale = 2.0 ** np.ceil(np.log2((max(high, 0.0) - min(low, 0.0)) / 255))
            zero = np.clip(np.round(-128 - min(low, 0.0) / scale), -128, 127)
            low, high = float((-128 - zero) * scale), float((127 - zero) * scale)
        found[name] = (low, high)
    return found


@cache
def program(seed: int) -> Program:
    """The program of a random net."""
    case = random_net(seed)
    return quantised(
        case.lock["plan"], case.model.state_dict(), case.ranges, case.lock["model"]["input"], f"random{seed}"
    )

"""Small sigma-delta nets by number: plan, state and clip. Numpy's RandomState draws the same numbers in every version."""

from __future__ import annotations

from typing import Any

import numpy as np

Plan = dict[str, Any]
State = dict[str, np.ndarray]


class Nets:
    """Net number `seed`: convs of all shapes with and without groups, norms and weight norms, or a dense end.

    `shared`: one threshold a layer throughout, as a `.net` holds it. `gain` makes weights larger. Half of the weights and of
    the clip lie on multiples of 1/64, where rounding to 1/32 meets ties.
    """

    def __init__(
        self, seed: int, delays: bool = False, trainable: bool = False, shared: bool = False, gain: float = 1.0
    ) -> None:
        self.rng = np.random.RandomState(seed)
        self.delays, self.trainable = delays, trainable
        self.state: State = {}
        self.shared = bool(self.pick(0, 1, 1)) or shared
        self.gain = gain
        channels, side = self.pick(1, 2, 3), self.pick(6, 7, 9)
        shape = [channels, side, side + self.pick(0, 1)]
        self.layers: list[Plan] = [{**self.layer("input", shape), "neuron": self.neuron("input", 1, norm=False)}]
        for number in range(self.pick(1, 2, 3)):
            shape = self.conv(f"conv{number}", shape)
        if self.pick(0, 0, 1):
            shape = [int(np.prod(shape))]
            self.layers.append(self.layer("flatten", shape))
            for number in range(self.pick(0, 1)):
                shape = self.dense(f"dense{number}", shape, self.pick(4, 7))
            self.dense("head", shape, 5, sigma=True)
        else:
            self.conv("head", shape, sigma=True)
        self.plan: Plan = {
            "name": "network",
            "output": "p",
            "input": {"node": "clip", "shape": self.layers[0]["shape"], "steps": None},
            "layers": self.layers,
        }

    def pick(self, *choices: int) -> int:
        return int(choices[self.rng.randint(len(choices))])

    def layer(self, kind: str, shape: list[int], name: str = "") -> Plan:
        return {
            "name": name or kind,
            "type": kind,
            "shape": shape,
            "where": "made_up.det:1",
            "neuron": None,
            "delay": 0,
        }

    def tied(self, values: np.ndarray) -> np.ndarray:
        """float32, every other value on a multiple of 1/64."""
        return np.where(self.rng.uniform(size=values.shape) < 0.5, values, np.rint(values * 64) / 64).astype(np.float32)

    def neuron(self, module: str, channels: int, norm: bool) -> Plan:
        shared = self.shared or module == "input" or bool(self.pick(0, 1))
        threshold = 1 / self.pick(6, 9, 10, 11)
        values = np.full(1 if shared else channels, threshold)
        if not shared:
            values = values * self.rng.uniform(0.5, 1.5, channels)
        self.state[f"{module}.neuron.threshold"] = values.astype(np.float32)
        if norm:
            mean = self.rng.normal(0, 0.3, channels)
            self.state[f"{module}.neuron.norm.running_mean"] = self.tied(mean)
        return {
            "module": f"{module}.neuron",
            "threshold": threshold,
            "tau_grad": 0.2,
            "scale_grad": 0.3,
            "activation": "relu",
            "norm": norm,
            "shared": shared,
            "trainable": self.trainable,
            "message_bits": 16,
        }

    def weights(self, module: str, shape: list[int], weight_norm: bool) -> None:
        spread = self.rng.normal(0, 1, shape) / np.sqrt(np.prod(shape[1:]))
        if weight_norm:
            self.state[f"{module}.weight_v"] = spread.astype(np.float32)
            length = self.gain * self.rng.uniform(0.5, 2.5, [shape[0], *[1] * (len(shape) - 1)])
            self.state[f"{module}.weight_g"] = length.astype(np.float32)
        else:
            self.state[f"{module}.weight"] = self.tied(self.gain * 1.5 * spread)

    def conv(self, name: str, shape: list[int], sigma: bool = False) -> list[int]:
        groups = 1 if shape[0] % 2 else self.pick(1, 2)
        k = [self.pick(1, 3), self.pick(1, 3)]
        stride = [self.pick(1, 2), self.pick(1, 2)] if min(shape[1:]) > 4 else [1, 1]
        dilation = [self.pick(1, 2) if side > 4 else 1 for side in shape[1:]]
        pad = [self.pick(0, 1) if side > 4 else 1 for side in shape[1:]]
        out = self.pick(2, 4, 6)
        sides = zip(shape[1:], k, stride, dilation, pad, strict=True)
        made = [out, *((s + 2 * p - d * (n - 1) - 1) // t + 1 for s, n, t, d, p in sides)]
        norm = bool(self.pick(0, 1)) and not sigma
        weight_norm = bool(self.pick(0, 1)) and not sigma
        self.weights(f"{name}.conv", [out, shape[0] // groups, *k], weight_norm)
        self.layers.append(
            {
                **self.layer("conv", made, name),
                "in": shape[0],
                "out": out,
                "k": k,
                "stride": stride,
                "pad": pad,
                "dilation": dilation,
                "groups": groups,
                "module": f"{name}.conv",
                "weight_norm": weight_norm,
                "sigma": sigma,
                "neuron": None if sigma else self.neuron(name, out, norm),
                "delay": self.pick(0, 1, 2) if self.delays and not sigma else 0,
            }
        )
        return made

    def dense(self, name: str, shape: list[int], out: int, sigma: bool = False) -> list[int]:
        weight_norm = bool(self.pick(0, 1)) and not sigma
        self.weights(f"{name}.linear", [out, shape[0]], weight_norm)
        self.layers.append(
            {
                **self.layer("dense", [out], name),
                "in": shape[0],
                "out": out,
                "module": f"{name}.linear",
                "weight_norm": weight_norm,
                "in_shape": shape,
                "sigma": sigma,
                "neuron": None if sigma else self.neuron(name, out, bool(self.pick(0, 1))),
            }
        )
        return [out]

    def clip(self, pictures: int = 2, steps: int = 5) -> np.ndarray:
        """float32 [N, C, H, W, T] that changes a little from step to step."""
        shape = self.layers[0]["shape"]
        first = self.rng.normal(0, 1, [pictures, *shape, 1])
        changes = self.rng.normal(0, 0.15, [pictures, *shape, steps])
        return self.tied(first + np.cumsum(changes, -1))

    def wanted(self, clip: np.ndarray) -> np.ndarray:
        """A gradient for the output of `clip`: float32 [N, O, h, w, T] or [N, O, T], whole numbers."""
        shape = [len(clip), *self.layers[-1]["shape"], clip.shape[-1]]
        return self.rng.randint(-3, 4, shape).astype(np.float32)

"""Sigma-delta networks to test with, and a second, plain reading of their arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

from detrt.devices.loihi2.network import Conv, Dense, Flatten, Input, Network


def weights(rng: np.random.Generator, shape: tuple[int, ...], spread: float = 30) -> np.ndarray:
    """Even integers in [-256, 254]."""
    return 2 * np.clip(np.rint(rng.normal(0, spread / 2, shape)), -128, 127).astype(np.int64)


def conv(weight: Any, bias: Any = None, vth: int = 6, sigma: bool = False, delay: int = 0, **moves: Any) -> Conv:
    """A convolution, by default 1 stride and no padding."""
    given: dict[str, Any] = {"stride": (1, 1), "pad": (0, 0), "dilation": (1, 1), "groups": 1} | moves
    return Conv(
        np.asarray(weight, np.int64),
        None if bias is None else np.asarray(bias, np.int64),
        vth=vth,
        sigma=sigma,
        delay=delay,
        **given,
    )


def random_conv_net(seed: int, side: int = 12, spread: float = 30) -> Network:
    """Six convolutions: bias, two groups, stride 2, dilation, one of 1x1; the last is read out."""
    rng = np.random.default_rng(seed)

    def block(inputs: int, outputs: int, k: int = 3, groups: int = 1, **given: Any) -> Conv:
        weight = weights(rng, (outputs, inputs // groups, k, k), spread)
        bias = None if given.get("sigma") else 2 * rng.integers(-20, 21, outputs)
        return conv(weight, bias, vth=int(rng.integers(3, 9)), groups=groups, pad=(k // 2, k // 2), **given)

    return Network(
        (
            Input((3, side, side + 2), 6),
            block(3, 8),
            block(8, 8, groups=2, stride=(2, 2)),
            block(8, 12, k=1),
            block(12, 8, groups=2),
            block(8, 6, stride=(1, 2)),
            block(6, 5, k=1, sigma=True),
        )
    )


def random_dense_net(seed: int) -> Network:
    """A convolution, then vectors."""
    rng = np.random.default_rng(seed)
    return Network(
        (
            Input((2, 6, 5), 5),
            conv(weights(rng, (4, 2, 3, 3)), 2 * rng.integers(-9, 10, 4), stride=(2, 2), pad=(1, 1)),
            Flatten(),
            Dense(weights(rng, (10, 36)), 2 * rng.integers(-9, 10, 10), 4),
            Dense(weights(rng, (7, 10)), None, 6, sigma=True),
        )
    )


def clip(seed: int, network: Network, steps: int, still: float = 0.5) -> np.ndarray:
    """Frames times 64; from one to the next, a share `still` of the values stays."""
    rng = np.random.default_rng(seed)
    shape = network.input.shape
    frames = [rng.integers(-130, 130, shape)]
    for _ in range(steps - 1):
        frames.append(np.where(rng.random(shape) < still, frames[-1], rng.integers(-130, 130, shape)))
    return np.stack(frames)


def plainly(network: Network, frames: np.ndarray, spike_exp: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and events of a clip, by the eight steps of lava's processes, each neuron in each step."""
    up = spike_exp + 6
    sizes = network.shapes
    state = [{name: np.zeros(s, np.int64) for name in ("buf", "sigma", "act", "residue")} for s in sizes]
    outputs, events = [], np.zeros((len(frames), len(sizes)), np.int64)

    def delta(s: dict[str, np.ndarray], act: np.ndarray, vth: int) -> np.ndarray:
        d = act - s["act"] + s["residue"]
        sent = np.where(np.abs(d) >= vth << up, d, 0)
        s["act"], s["residue"] = act, d - sent
        return sent >> 6

    for t, frame in enumerate(frames):
        x = delta(state[0], frame.astype(np.int64) << up, network.input.vth)
        events[t, 0] = np.count_nonzero(x)
        for i, layer in enumerate(network.layers[1:], start=1):
            if isinstance(layer, Flatten):
                x = x.reshape(-1)
                continue
            assert isinstance(layer, Conv | Dense) and layer.delay == 0
            s = state[i]
            z, s["buf"] = s["buf"], _brought(layer, x, sizes[i])
            s["sigma"] = s["sigma"] + z
            if layer.sigma:
                x = s["sigma"]
                continue
            bias = 0 if layer.bias is None else layer.bias.reshape(-1, *[1] * (len(sizes[i]) - 1)) << up
            x = delta(s, np.maximum(s["sigma"] + bias, 0), layer.vth)
            events[t, i] = np.count_nonzero(x)
        outputs.append(x)
    return np.stack(outputs), events


def _brought(layer: Conv | Dense, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if isinstance(layer, Dense):
        return layer.weight @ x
    padded = np.pad(x, ((0, 0), *((p, p) for p in layer.pad)))
    per_group, out_per_group = layer.weight.shape[1], len(layer.weight) // layer.groups
    found = np.zeros(shape, np.int64)
    for o in range(len(layer.weight)):
        first = o // out_per_group * per_group
        for i, ky, kx in np.ndindex(layer.weight.shape[1:]):
            y, x0 = ky * layer.dilation[0], kx * layer.dilation[1]
            rows = slice(y, y + (shape[1] - 1) * layer.stride[0] + 1, layer.stride[0])
            columns = slice(x0, x0 + (shape[2] - 1) * layer.stride[1] + 1, layer.stride[1])
            found[o] += layer.weight[o, i, ky, kx] * padded[first + i, rows, columns]
    return (found + (1 << 23)) % (1 << 24) - (1 << 23)

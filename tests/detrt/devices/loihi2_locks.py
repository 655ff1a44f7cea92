"""Locks of small detectors for Loihi 2, with weights, as a build has them."""

from __future__ import annotations

from typing import Any

import numpy as np

ENCODING = {"kind": "affine", "scale": 1.0, "offset": 0.0, "mean": [120.0, 115.0, 100.0], "std": [58.0, 57.0, 56.0]}
HEAD = {
    "kind": "yolo_sdnn",
    "on": ["p"],
    "options": {
        "anchors": [[[0.5, 0.5], [1.5, 1.0]]],
        "classes": 2,
        "names": ["disc", "square"],
        "conf": 0.3,
        "score": 0.0,
        "nms": 0.4,
        "agnostic": False,
        "soft": "none",
        "max_detections": 300,
        "clamp": 5.0,
    },
}


def lock_and_state(nets: int = 1, deep: tuple[int, ...] = (2,), seed: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """A detector of pictures u8 [16, 16, 3] whose output `p` is one map, or `nets` of them; net i has `deep[i]` hidden layers."""
    rng = np.random.default_rng(seed)
    state: dict[str, Any] = {}
    plans = [_net(rng, f"p{i}" if nets > 1 else "network", i, (deep * nets)[i], state) for i in range(nets)]
    anchors = HEAD["options"]["anchors"] * nets  # type: ignore[index]
    lock = {
        "detc": "0.1.0",
        "spec": {"path": "tiny.det"},
        "target": {"name": "kapoho_point", "lineage": ["loihi2"]},
        "model": {
            "name": "tiny",
            "input": {"name": "clip", "shape": [3, 16, 16], "order": "rgb", "encoding": ENCODING, "steps": 6},
            "heads": [{**HEAD, "options": {**HEAD["options"], "anchors": anchors}}],  # type: ignore[dict-item]
        },
        "plan": {"schema": 1, "spike_exp": 6, "nets": plans},
    }
    return lock, state


def _net(rng: np.random.Generator, name: str, index: int, hidden: int, state: dict[str, Any]) -> dict[str, Any]:
    def neuron(module: str, norm: bool) -> dict[str, Any]:
        state[f"{module}.threshold"] = np.array([0.1], np.float32)
        return {"module": module, "threshold": 0.1, "activation": "relu", "norm": norm}

    layers: list[dict[str, Any]] = [
        {"name": "encode1", "type": "input", "shape": [3, 16, 16], "neuron": neuron(f"{name}.encode", False)}
    ]
    channels, side = 3, 16
    for i in range(hidden + 1):
        last, module = i == hidden, f"{name}.conv{i}"
        out, stride = (14, 1) if last else (6, 2 if side > 4 else 1)
        side //= stride
        state[f"{module}.weight"] = rng.normal(0, 0.25, (out, channels, 3, 3)).astype(np.float32)
        if not last:
            state[f"{module}.neuron.norm.running_mean"] = rng.normal(0, 0.2, out).astype(np.float32)
        layers.append(
            {
                "name": f"conv{i}", "type": "conv", "shape": [out, side, side], "where": f"tiny.det:{9 + i}",
                "in": channels, "out": out, "k": [3, 3], "stride": [stride] * 2, "pad": [1, 1], "dilation": [1, 1],
                "groups": 1, "module": module, "weight_norm": False, "sigma": last,
                "neuron": None if last else neuron(f"{module}.neuron", True), "cores": 1, "tile": [side, side, out],
            }
        )  # fmt: skip
        channels = out
    about = {"name": name, "output": "p", "index": index, "input": {"node": "clip", "shape": [3, 16, 16], "steps": 6}}
    return {**about, "layers": layers, "cores": hidden + 1, "chips": 1, "latency": hidden + 1}


def pictures(count: int, seed: int = 0) -> np.ndarray:
    """u8 [count, 16, 16, 3]: a picture that shifts by a pixel each time, held still at every other one."""
    base = np.random.default_rng(seed).integers(0, 256, (4, 4, 3)).astype(np.uint8).repeat(4, 0).repeat(4, 1)
    return np.stack([np.roll(base, i // 2, 1) for i in range(count)])

"""The random number generators of a process: seeded, captured into a checkpoint, put back."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor


def seed_all(seed: int | None, stage: int, rank: int) -> None:
    """Seeds python, numpy and torch for one stage of one process; with None the generators stay as the system seeded them."""
    if seed is None:
        return
    mixed = int(np.random.SeedSequence([seed, stage, rank]).generate_state(1)[0])
    random.seed(mixed)
    np.random.seed(mixed)
    torch.manual_seed(mixed)


def capture(device: torch.device) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state of all generators: tensors (torch's) and JSON data (python's and numpy's)."""
    tensors = {"torch": torch.get_rng_state()}
    if device.type == "cuda":
        tensors["cuda"] = torch.cuda.get_rng_state(device)
    version, words, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return tensors, {
        "python": [version, list(words), gauss],
        "numpy": [str(kind), np.asarray(keys).tolist(), int(position), int(has_gauss), float(cached)],
    }


def restore(tensors: Mapping[str, Tensor], state: Mapping[str, Any], device: torch.device) -> None:
    """Puts back what `capture` gave."""
    torch.set_rng_state(tensors["torch"])
    if device.type == "cuda" and "cuda" in tensors:
        torch.cuda.set_rng_state(tensors["cuda"], device)
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, cached))

"""Weights as a `.safetensors` file, one array at a time (format: README of huggingface/safetensors: u64 length of a JSON header,
the header, the bytes)."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path

from detc.importers.network.drawing import Lazy
from detc.importers.unreadable import Unreadable


def write_weights(path: Path, weights: Mapping[str, Lazy], ranges: Mapping[str, tuple[float, float]]) -> None:
    """float32 tensors by state_dict key; `ranges`, if any, stand as JSON in the metadata: {layer: [low, high]}. The file is
    whole or not there. Raises OSError, and Unreadable for weights that are no numbers."""
    import numpy as np

    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    header: dict[str, object] = {}
    if ranges:
        header["__metadata__"] = {"ranges": json.dumps({name: list(ends) for name, ends in ranges.items()})}
    body = temporary.with_suffix(".body")
    try:
        at = 0
        with open(body, "wb") as file:
            for name, read in weights.items():
                array = np.ascontiguousarray(read(), "<f4")
                if not np.isfinite(array).all():
                    raise Unreadable(f"`{name}` holds numbers that are none (NaN or infinity)")
                file.write(array.tobytes())
                header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
                at += array.nbytes
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(temporary, "wb") as file, open(body, "rb") as data:
            file.write(struct.pack("<Q", len(text)) + text)
            while piece := data.read(1 << 20):
                file.write(piece)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        body.unlink(missing_ok=True)
